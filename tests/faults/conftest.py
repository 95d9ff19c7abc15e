"""Rounds of random faults against real guests, and their figures at the end of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from command_line import Kdevops
from fault_checker import Sin
from fault_table import FAULTS
from shared_lab import BUILD_SECONDS, DEMO

_PROPERTY = "faults"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rounds = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == _PROPERTY and getattr(report, "when", "") == "call"
    ]
    if not rounds:
        return
    terminalreporter.section("rounds of faults")
    for each in rounds:
        terminalreporter.line(each["told"])
    terminalreporter.line(summary(rounds))


def summary(rounds: list[Mapping[str, Any]]) -> str:
    """All that matters of these rounds in a line."""
    sins = Counter(sin for each in rounds for sin in each["sins"])
    injected = Counter(name for each in rounds for name in each["injected"])
    skipped = Counter(name for each in rounds for name in each["skipped"])
    late = sum(len(each["late"]) for each in rounds)
    parts = [
        ", ".join(f"{sins[sin]} {sin}" for sin in Sin),
        f"{sum(each['missing'] for each in rounds)} told as missing",
        f"{sum(injected.values())} faults: " + ", ".join(f"{injected[name]} {name}" for name in FAULTS),
        f"{late} too late",
        *(f"SKIPPED {number} {name}: this machine does not allow it" for name, number in skipped.items()),
    ]
    return f"{len(rounds)} rounds: " + "; ".join(parts)


@pytest.fixture(scope="session")
def shared_kernel(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The kernel that all tests share is built, so that the time of a round is its own."""
    Kdevops(tmp_path_factory.mktemp("kernel"))("kernel", "build", *DEMO, "--json", timeout=BUILD_SECONDS, check=0)
