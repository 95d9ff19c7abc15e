"""Random faults lose nothing, hide nothing, stop nothing and are charged to nobody: a few rounds always, many by `make soak`.

KDEVOPS_FAULTS_SEED is the first seed of `make soak`, KDEVOPS_FAULTS_ROUNDS how many it tries. A round is done again by its seed.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.rounds import Plan, play
from tests.faults.table import FAULTS, LONG
from tests.support.command_line import Kdevops
from tests.support.fault_summary import PROPERTY
from tests.support.shared_lab import BUILD_SECONDS, DEMO, shared_lab

ALWAYS = (28, 31, 37, 184, 249, 325, 376, 453, 470, 484)
"""Seeds, chosen so that together they have every fault at least once."""
# All workers of a test run must name the same tests, so that the time cannot be asked by each.
_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(time.time()))
_FIRST = int(os.environ.get("KDEVOPS_FAULTS_SEED", zlib.crc32(_RUN.encode())))
_ROUNDS = int(os.environ.get("KDEVOPS_FAULTS_ROUNDS", "64"))


def test_every_fault_is_in_the_rounds_that_always_run() -> None:
    planned = [each.name for seed in ALWAYS for each in Plan.of(seed).faults]
    assert set(planned) == FAULTS.keys()
    assert sum(name in LONG for name in planned) == len(LONG)


@pytest.fixture(scope="session")
def shared_kernel(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The kernel that all tests share is built, so that the time of a round is its own."""
    Kdevops(tmp_path_factory.mktemp("kernel"))("kernel", "build", *DEMO, "--json", timeout=BUILD_SECONDS, check=0)


@pytest.fixture
def sound(tmp_path: Path, shared_kernel: None, record_property: Callable[[str, object], None]) -> Callable[[int], None]:
    """Do the round of a seed and expect that nothing is wrong with it."""

    def check(seed: int) -> None:
        verdict = play(seed, tmp_path, shared_lab())
        record_property(PROPERTY, verdict.plain())
        assert not verdict.findings, f"{verdict}\nsee {tmp_path}"

    return check


@pytest.mark.e2e
@pytest.mark.parametrize("seed", ALWAYS)
def test_round(seed: int, sound: Callable[[int], None]) -> None:
    sound(seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(_FIRST, _FIRST + _ROUNDS))
def test_soak(seed: int, sound: Callable[[int], None]) -> None:
    sound(seed)
