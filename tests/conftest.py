"""What all tests share: helpers importable from this directory, and no file outside the test's own directories."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import fault_summary, postgresql

postgres = postgresql.postgres  # fixtures
store_url = postgresql.store_url


@pytest.fixture(autouse=True)
def _private_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path_factory.mktemp("state")))
    monkeypatch.delenv("KDEVOPS_STORE", raising=False)


@pytest.fixture(scope="session")
def _no_hypervisors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("no-hypervisors")
    for name in ("VBoxManage", "libvirtd", "vagrant", "virsh"):
        (directory / name).write_text(
            f"#!/bin/sh\necho 'a test that boots nothing asked {name} of this machine' >&2\nexit 99\n"
        )
        (directory / name).chmod(0o755)
    return directory


@pytest.fixture(autouse=True)
def _ask_no_hypervisor(request: pytest.FixtureRequest, _no_hypervisors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test that boots nothing finds must not depend on the daemons that happen to run."""
    if not request.node.get_closest_marker("e2e"):
        monkeypatch.setenv("PATH", f"{_no_hypervisors}{os.pathsep}{os.environ['PATH']}")


MEASURED = frozenset({"results", "run", "suites"})
"""The rooms whose coverage has a floor: scripts/coverage-floor."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.e2e)
        # Measuring doubles the time of a test. The many examples of a property run no other lines than a few do.
        if _room_of(item) not in MEASURED or getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.no_cover)


def _room_of(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    fault_summary.tell(terminalreporter)


def pytest_configure() -> None:
    # How long an example takes says how busy the machine is; what must be fast has a test of its own.
    settings.register_profile("busy", deadline=None)
    settings.load_profile("busy")
    # Jobs in the background of a shell ignore Ctrl-C, and so do their children; tests that send it need it to be heard.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
