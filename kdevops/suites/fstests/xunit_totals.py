"""Compare the totals that a suite declares with its cases.

`check` counts each test that it tried once: not the repeats of `-L`, and only the last round of `-i`. Before June 2022
it counted skipped tests twice (fstests 2b1016e1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kdevops.results.model import Counts, Status
from kdevops.suites.fstests.xunit_cases import Case, Suite

_NEWER = ("KERNEL", "ARCH", "FSTESTCFG", "TESTCFG")
"""Properties of reports that do not count skipped tests twice."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How a suite differs from its totals: in words ("" for no difference), and how many tests are missing or surplus.

    `doubtful`: it declares failed or skipped tests but lists them as passes, unknown which ones.
    """

    words: str = ""
    lacking: int = 0
    surplus: int = 0
    doubtful: bool = False


def difference(suite: Suite) -> Difference:
    """The difference; none if the suite declares nothing."""
    declared, cases = suite.declared, (*suite.cases, *suite.strangers)
    if any(declared.items() <= counted.items() for counted in _countings(suite, cases)):
        return Difference()
    found = _count(cases)
    named = sum(case.status is Status.MISSING for case in cases)
    balance = declared.get("tests", found["tests"]) - found["tests"]
    unseen = sum(max(0, number - found[name]) for name, number in declared.items() if name != "tests")
    told = ", ".join(
        f"{name} {number} and has {found[name]}" for name, number in declared.items() if number != found[name]
    )
    return Difference(f"declares {told}", max(0, balance), max(0, -balance), unseen > max(0, balance) + named)


def _countings(suite: Suite, cases: tuple[Case, ...]) -> Iterator[dict[str, int]]:
    """Every valid way to count these cases."""
    counted = _count(cases)
    yield counted
    yield _count({case.name: case for case in cases}.values())
    yield _count({case.name: case for case in reversed(cases)}.values())
    if "errors" not in suite.declared and not any(name in suite.properties for name in _NEWER):
        yield counted | {"tests": counted["tests"] + counted["skipped"]}


def _count(cases: Iterable[Case]) -> dict[str, int]:
    counts = Counts.of(case.status for case in cases)
    return {
        "tests": counts.total,
        "failures": counts[Status.FAIL],
        "errors": sum(counts[status] for status in Status if status.took_the_guest),
        "skipped": counts[Status.SKIP],
    }
