"""How a test went bad: the identities of its failures below the test itself.

A symptom is a short text that names one way of going wrong across runs:

    fail                  it failed, and no subtest explains that
    sub:NAME              the subtest NAME failed, or began and never ended
    output:1a2b3c4d       fstests: the difference from the expected output has this fingerprint
    hang                  it hung
    crash:SIGNATURE       it crashed with a kernel report of this signature
    crash                 it crashed, and the kernel reported nothing

A pass or a skip has none. A bad outcome without any is one of which nobody can say how it went bad: it was imported, or
stored by an older version.
"""

from __future__ import annotations

import re

from kdevops.lab.suites import for_tests
from kdevops.results.complaints import cause
from kdevops.results.model import Outcome, Status, Subtest, TestId
from kdevops.results.rows import MAX_LINE, signature_of
from kdevops.text import clean

FAIL, HANG, CRASH = "fail", "hang", "crash"
_SUB = "sub:"
_CAUSE = "crash:"
_FINGERPRINT = re.compile(r"output:[0-9a-f]{8}", re.ASCII)
# Text in names that changes from run to run. Short numbers are parameters of a case, so they stay.
_VARIES = tuple(
    (re.compile(regex), put)
    for regex, put in (
        (r"0x[0-9a-fA-F]{8,16}\b", "0x…"),
        (r"^\[ {0,6}\d{1,9}\]", "[…]"),  # clone3 prints its process there
        (r"\b(pid[ =:]{0,2})\d{1,9}\b", r"\1…"),
        (r"(?<=/tmp/)[\w./-]+", "…"),
    )
)
_WORDS = ((_SUB, "subtest "), (_CAUSE, "crash with "), ("output:", "output "))
_ALONE = {FAIL: "fail without a failing subtest", CRASH: "crash without a kernel report"}


def symptoms(test: TestId, outcome: Outcome) -> frozenset[str]:
    """The symptoms of one outcome of `test`; empty unless it is bad and something is known of how."""
    match outcome.status:
        case Status.FAIL:
            return _subtests(outcome) or _unexplained(test)
        case Status.HANG:
            return _subtests(outcome) | {HANG}
        case Status.CRASH:
            return _of_crash(outcome)
        case _:
            return frozenset()


def failed_subtests(outcome: Outcome) -> tuple[str, ...]:
    """Names of the subtests that did not go well, in order, without those that only contain others."""
    bad = [each for each in outcome.subtests if _is_bad(each, outcome.status)]
    parents = {above for each in bad for above in _above(each.name)}
    return tuple(dict.fromkeys(each.name for each in bad if each.name not in parents))


def spoken(symptom: str) -> str:
    """A symptom in words: "subtest alpha", "crash with WARNING in foo"."""
    for prefix, words in _WORDS:
        if symptom.startswith(prefix):
            return words + symptom.removeprefix(prefix)
    return _ALONE.get(symptom, symptom)


def kind_of(symptom: str) -> Status:
    """The status of which this is a symptom."""
    if symptom == HANG:
        return Status.HANG
    return Status.CRASH if symptom == CRASH or symptom.startswith(_CAUSE) else Status.FAIL


def _unexplained(test: TestId) -> frozenset[str]:
    kind = for_tests(test.suite)
    return frozenset() if kind and kind.explains_failures else frozenset({FAIL})


def _of_crash(outcome: Outcome) -> frozenset[str]:
    if not outcome.oops:
        return _subtests(outcome) | {CRASH}
    if not outcome.reports:
        return frozenset()  # from a version that did not store reports one by one
    report = cause(outcome)
    name = signature_of(report) if report else next(filter(None, map(clean, outcome.oops.splitlines())), "")
    return _subtests(outcome) | {f"{_CAUSE}{clean(name, MAX_LINE)}"}


def _subtests(outcome: Outcome) -> frozenset[str]:
    return frozenset(map(_named, failed_subtests(outcome)))


def _named(name: str) -> str:
    if _FINGERPRINT.fullmatch(name):
        return name
    name = clean(name, MAX_LINE)
    for regex, put in _VARIES:
        name = regex.sub(put, name)
    return f"{_SUB}{name or '(unnamed)'}"


def _is_bad(subtest: Subtest, status: Status) -> bool:
    """Whether it explains how the test went bad: of a crash or a hang, what was lost with the guest does not."""
    return subtest.status.is_bad if status.took_the_guest else not subtest.status.is_well


def _above(name: str) -> list[str]:
    """The names of all results that contain this one."""
    parts = name.split(" / ")
    return [" / ".join(parts[:number]) for number in range(1, len(parts))]
