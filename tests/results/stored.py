"""A store, and what is put into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdevops.results.model import KernelReport, TestId
from kdevops.results.store import PlannedRow, Store


def tid(name: str) -> TestId:
    return TestId("selftests", "default", name)


def rows(*names: str) -> list[PlannedRow]:
    return [PlannedRow(tid(name), 45.0) for name in names]


@pytest.fixture
def db(tmp_path: Path):
    with Store(tmp_path) as opened:
        yield opened


def report(signature: str, *, gates: bool = True, text: str = "") -> KernelReport:
    return KernelReport("warning", signature, f"WARNING: {signature}", gates, text)
