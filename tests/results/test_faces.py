"""Which failures are selected for a decision, and what of their reruns counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table, added, of_results
from kdevops.results.compare import Verdict
from kdevops.results.decision.stored import Against
from kdevops.results.faces import ANY, UNUSUAL, Face, Selected, selected
from kdevops.results.model import Counts, KernelReport, Outcome, RunState, Status, Subtest, TestId
from kdevops.results.store import Run
from kdevops.results.verdict import Arm, judge_run
from tests.support.decided import REGRESSED

S = Status
ARM = Run(1, "ab", RunState.COMPLETE, "2026-11-21T08:00:00+00:00", "2026-11-21T08:10:00+00:00", {})
TEST = TestId("selftests", "default", "futex:run.sh")


def failing(*names: str) -> Outcome:
    return Outcome(S.FAIL, subtests=tuple(Subtest(name, S.FAIL) for name in names))


PASSES, ALPHA, BETA, GAMMA = Outcome(S.PASS), failing("alpha"), failing("beta"), failing("gamma")
HANG, UNTOLD = Outcome(S.HANG), Outcome(S.FAIL)
KASAN = KernelReport("KASAN", "KASAN: use-after-free in foo", "BUG: KASAN: use-after-free in foo", gates=True, text="")
CRASH = Outcome(S.CRASH, oops=KASAN.title, reports=(KASAN,))
DIED_SOMEHOW = Outcome(S.CRASH, oops="an old text")
"""As older versions stored it: a crash that the kernel reported, without its reports."""
DIED_IN_GAMMA = Outcome(S.CRASH, subtests=GAMMA.subtests)


def known(*outcomes: Outcome, test: TestId = TEST) -> Entry:
    entry: Entry | None = None
    for outcome in outcomes:
        entry = added(entry or Entry(Counts()), of_results(test, [outcome]))
    assert entry
    return entry


@pytest.mark.parametrize(
    ("entry", "now", "chosen"),
    [
        (None, ALPHA, {ANY: (0, 0), "new fail": (0, 0)}),
        (known(PASSES), ALPHA, {ANY: (0, 1), "new fail": (0, 1)}),
        (known(ALPHA), ALPHA, None),
        (known(ALPHA), BETA, {ANY: (1, 1), "new fail": (0, 1)}),
        # Were it only to fail from now on, that would be worse too.
        (known(PASSES), CRASH, {ANY: (0, 1), "new crash": (0, 1)}),
        (Entry(Counts({S.FAIL: 9})), CRASH, {ANY: (9, 9), "new crash": (0, 9)}),
        (known(ALPHA), DIED_IN_GAMMA, {ANY: (1, 1), "new crash": (0, 1), "new fail": (0, 1)}),
        (known(ALPHA, *[PASSES] * 6), ALPHA, {ANY: (1, 7), "more fail": (1, 7)}),
        (known(ALPHA, ALPHA, ALPHA, *[PASSES] * 3), ALPHA, None),
        # A crash of which nobody can say how, where there were none, is one in a way of which nothing is known.
        (None, DIED_SOMEHOW, {ANY: (0, 0), "new crash": (0, 0)}),
        (known(*[PASSES] * 9), DIED_SOMEHOW, {ANY: (0, 9), "new crash": (0, 9)}),
        (known(ALPHA, *[PASSES] * 9), DIED_SOMEHOW, {ANY: (1, 10), "new crash": (0, 10)}),
        (Entry(Counts({S.FAIL: 9})), DIED_SOMEHOW, {ANY: (9, 9), "new crash": (0, 9)}),
        # A way that is known, and was rare; and beside one that is new: each is a question of its own.
        (known(*[BETA] * 29, failing("alpha", "beta")), ALPHA, {ANY: (30, 30), "more fail": (1, 30)}),
        (
            known(*[PASSES] * 29, ALPHA),
            failing("alpha", "gamma"),
            {ANY: (1, 30), "new fail": (0, 30), "more fail": (1, 30)},
        ),
        # One of thirty, whatever the others were.
        (known(*[BETA] * 14, *[GAMMA] * 15, ALPHA), ALPHA, {ANY: (30, 30), "more fail": (1, 30)}),
        (known(*[PASSES] * 4, ALPHA, HANG), HANG, {ANY: (2, 6), "more hang": (1, 6)}),
        # Where there were some, it is one of them, and may only come more often.
        (Entry(Counts({S.PASS: 6, S.CRASH: 1})), DIED_SOMEHOW, {ANY: (1, 7)}),
        (known(CRASH, *[PASSES] * 6), DIED_SOMEHOW, {ANY: (1, 7)}),
        (Entry(Counts({S.CRASH: 1})), DIED_SOMEHOW, None),
        (known(ALPHA), PASSES, None),
        (Entry(Counts({S.FAIL: 1}), expunged=True), BETA, None),
    ],
)
def test_what_is_selected(entry: Entry | None, now: Outcome, chosen: dict[str, tuple[int, int]] | None) -> None:
    tables = {("selftests", "default"): Table("6.1", {TEST.name: entry})} if entry else {}
    baseline = Baseline("6.1", tables)
    if entry and entry.expunged:
        baseline = Baseline("6.1").with_expunges({TEST: "F:1/2"})
    found = selected(judge_run([TEST], {TEST: now}, baseline))
    assert {test: numbers(each) for test, each in found.items()} == ({TEST: chosen} if chosen else {})


def numbers(each: Selected) -> dict[str, tuple[int, int]]:
    """Of the faces that may accuse."""
    faces = {name: face.before for name, face in each.faces.items() if not face.guard}
    return {name: (int(before.baseline_bad), int(before.baseline_runs)) for name, before in faces.items()}


@pytest.mark.parametrize(
    ("entry", "now", "guards"),
    [
        (known(*[PASSES] * 9), ALPHA, {}),
        (known(ALPHA), BETA, {UNUSUAL: (0, 1), "a hang or worse": (0, 1), "a crash or worse": (0, 1)}),
        # What was seen once in thirty is as unusual as what was never seen; and what is usual may become the only way.
        (
            known(*[ALPHA] * 14, *[BETA] * 15, GAMMA),
            DIED_SOMEHOW,
            {
                UNUSUAL: (1, 30),
                "a hang or worse": (0, 30),
                "a crash or worse": (0, 30),
                "by sub:alpha": (14, 30),
                "by sub:beta": (15, 30),
            },
        ),
        (
            known(*[PASSES] * 6, *[ALPHA] * 3, Outcome(S.HANG)),
            BETA,
            {UNUSUAL: (1, 10), "a hang or worse": (1, 10), "a crash or worse": (0, 10)},
        ),
    ],
)
def test_what_else_must_not_have_become_more_frequent(
    entry: Entry, now: Outcome, guards: dict[str, tuple[int, int]]
) -> None:
    baseline = Baseline("6.1", {("selftests", "default"): Table("6.1", {TEST.name: entry})})
    faces = selected(judge_run([TEST], {TEST: now}, baseline))[TEST].faces
    found = {name: face.before for name, face in faces.items() if face.guard}
    assert {name: (int(each.baseline_bad), int(each.baseline_runs)) for name, each in found.items()} == guards


def test_what_counts_of_a_new_crash_with_a_new_subtest() -> None:
    tables = {("selftests", "default"): Table("6.1", {TEST.name: known(BETA, *[PASSES] * 4)})}
    arm = Arm(ARM, {TEST: BETA})
    verdict = judge_run([TEST], {TEST: DIED_IN_GAMMA}, Baseline("6.1", tables), arm=arm)
    chosen = selected(verdict)[TEST]
    assert chosen.beside
    assert chosen.faces["new crash"] == Face(Against(6, 0), frozenset({"crash"}))
    assert chosen.faces["new fail"] == Face(Against(6, 0), frozenset({"sub:gamma"}), frozenset({S.HANG, S.CRASH}))
    unusual = Face(Against(6, 0), least=S.FAIL, known=frozenset({"sub:beta"}))
    assert chosen.faces[UNUSUAL] == unusual
    alone = selected(verdict, beside=False)[TEST].faces[UNUSUAL]
    assert alone == replace(unusual, guard=True), "stored counts say little of what is unusual in them"


ENDS = st.sampled_from(
    [
        PASSES,
        ALPHA,
        BETA,
        UNTOLD,
        CRASH,
        DIED_SOMEHOW,
        Outcome(S.HANG),
        Outcome(S.SKIP),
        Outcome(S.MISSING),
        Outcome(S.CRASH),
    ]
)
TESTS = [TestId("fstests", "xfs_crc", name) for name in ("generic/001", "generic/002")]
PLANNED = [*TESTS, TESTS[0].repeat(2)]


@given(
    st.tuples(ENDS, ENDS, ENDS),
    st.tuples(*[st.lists(ENDS, max_size=8)] * 2),
    st.none() | st.tuples(ENDS, ENDS, ENDS),
    st.booleans(),
    st.booleans(),
)
def test_what_is_not_decided_is_selected_and_nothing_else(
    now: tuple[Outcome, ...],
    before: tuple[list[Outcome], ...],
    beside: tuple[Outcome, ...] | None,
    on_both: bool,
    expunged: bool,
) -> None:
    entries = {test.name: known(*ends, test=test) for test, ends in zip(TESTS, before, strict=True) if ends}
    baseline = Baseline("6.1", {("fstests", "xfs_crc"): Table("6.1", entries)})
    if expunged:
        baseline = baseline.with_expunges({TESTS[1]: "F:1/2"})
    arm = Arm(ARM, dict(zip(PLANNED, beside, strict=True))) if beside else None
    verdict = judge_run(PLANNED, dict(zip(PLANNED, now, strict=True)), baseline, arm=arm)
    found = selected(verdict, beside=on_both)
    assert set(found) == {each.test.plain for each in verdict.tests if each.verdict is Verdict.INCONCLUSIVE}
    assert all(each.beside == (on_both and arm is not None) for each in found.values())
    for test, chosen in found.items():  # each of them can be seen again, were it only to end as it did
        ends = [end for each, end in zip(PLANNED, now, strict=True) if each.plain == test]
        chosen_for = [face for name, face in chosen.faces.items() if not face.guard and name != UNUSUAL]
        assert all(any(face.counts(test, end) for end in ends) for face in chosen_for)


def test_what_is_decided_is_selected_no_more() -> None:
    outcomes = dict.fromkeys(TESTS, ALPHA)
    verdict = judge_run(TESTS, outcomes, Baseline("6.1"), decisions={TESTS[0]: REGRESSED})
    assert set(selected(verdict)) == {TESTS[1]}
    assert set(selected(judge_run(TESTS, outcomes, Baseline("6.1")))) == set(TESTS)


def test_what_the_baseline_kernel_fails_by_chance_is_selected_and_runs_on_both() -> None:
    baseline = Baseline("6.1", {("selftests", "default"): Table("6.1", {TEST.name: known(*[PASSES] * 9)})})
    verdict = judge_run([TEST], {TEST: ALPHA}, baseline, arm=Arm(ARM, {TEST: ALPHA}))
    for beside in (True, False):
        chosen = selected(verdict, beside=beside)[TEST]
        assert (chosen.beside, numbers(chosen)[ANY]) == (beside, (1, 10))
