"""What tests of the lab file share: writing one, and reading what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdevops.errors import UserError
from kdevops.lab.load import LoadedLab, load_lab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write a lab and load it by its short name, as somebody in its directory would."""
    monkeypatch.chdir(tmp_path)

    def load(text: str, *overrides: str) -> LoadedLab:
        Path("x.yaml").write_text(text)
        return load_lab(Path("x.yaml"), overrides)

    return load


@pytest.fixture
def problems(lab):
    """What is wrong with a lab, line by line."""

    def told(text: str, *overrides: str) -> list[str]:
        with pytest.raises(UserError) as caught:
            lab(text, *overrides)
        return caught.value.message.splitlines()

    return told
