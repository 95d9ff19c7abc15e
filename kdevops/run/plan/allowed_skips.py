"""Which tests the lab allows to skip although they ran before: `verdict.allow_skips`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kdevops.results.model import TestId
from kdevops.results.names import fits
from kdevops.results.store import Run
from kdevops.text import clean

if TYPE_CHECKING:  # looking at a run need not import what makes one
    from kdevops.lab.model import Lab
    from kdevops.lab.verdict import AllowedSkip


def allowing(run: Run) -> Callable[[TestId, str], str]:
    """A function that returns the rule of the run's lab that allows a test to skip for this reason, "" without one.

    A run without a lab, such as an imported one, allows nothing.
    """
    rules = _rules(run)
    return lambda test, reason: next((str(rule) for rule in rules if _allows(rule, test, reason)), "")


def unmatched(lab: Lab, planned: Collection[TestId]) -> list[AllowedSkip]:
    """The rules of the lab whose glob of names matches no planned test: probably misspelt."""
    return [rule for rule in lab.verdict.allow_skips if planned and not any(fits(test, rule.test) for test in planned)]


def _rules(run: Run) -> Sequence[AllowedSkip]:
    given = ((run.record.get("lab") or {}).get("verdict") or {}).get("allow_skips")
    if not given:
        return ()
    from kdevops.lab.verdict import VerdictRules

    return VerdictRules(allow_skips=given).allow_skips


def _allows(rule: AllowedSkip, test: TestId, reason: str) -> bool:
    return fits(test, rule.test) and fnmatchcase(clean(reason), rule.reason)
