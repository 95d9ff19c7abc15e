"""What all tests share: helpers importable from this directory, and no file outside the test's own directories."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _private_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path_factory.mktemp("state")))


def pytest_configure() -> None:
    # Jobs in the background of a shell ignore Ctrl-C, and so do their children; tests that send it need it to be heard.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
