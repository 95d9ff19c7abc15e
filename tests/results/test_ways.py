"""The ways in which a test goes bad, known and unknown, and what they do to its verdict."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kdevops.errors import ExitCode
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Seen, Table, added, of_results
from kdevops.results.compare import Verdict
from kdevops.results.model import Counts, KernelReport, Outcome, RunState, Status, Subtest, TestId
from kdevops.results.store import Run
from kdevops.results.verdict import Arm, Judged, judge_run
from kdevops.results.ways import ways
from tests.support.baselines import learnt

S, V = Status, Verdict
KEY = ("selftests", "default")
TEST = TestId(*KEY, "futex:run.sh")
FSTEST = TestId("fstests", "xfs_crc", "generic/001")
PASSES, PLAIN, HANGS, DIES = Outcome(S.PASS), Outcome(S.FAIL), Outcome(S.HANG), Outcome(S.CRASH)


def failing(*names: str) -> Outcome:
    return Outcome(S.FAIL, subtests=tuple(Subtest(name, S.FAIL) for name in names))


def crashing(title: str) -> Outcome:
    return Outcome(S.CRASH, oops=title, reports=(KernelReport("BUG", title, title, gates=True, text=title),))


ALPHA, BETA = failing("alpha"), failing("beta")
OFTEN_ALPHA, OFTEN_BETA = [ALPHA, ALPHA, PASSES, PASSES], [BETA, BETA, PASSES, PASSES]
OLD_FAILS, OLD_CRASHES = Entry(Counts({S.FAIL: 3})), Entry(Counts({S.CRASH: 1}))


def learned(*outcomes: Outcome) -> Entry:
    return of_results(TEST, outcomes)


def arm(outcomes: Sequence[Outcome], test: TestId = TEST) -> Arm:
    run = Run(5, "ab", RunState.COMPLETE, "2026-11-21T08:00:00.000+00:00", None, {})
    return Arm(run, {test.repeat(number) if number > 1 else test: end for number, end in enumerate(outcomes, 1)})


def judged(known: Entry | None, now: Outcome, *, beside: Outcome | None = None, test: TestId = TEST) -> Judged:
    tables = {(test.suite, test.profile): Table("6.1", {test.name: known})} if known else {}
    verdict = judge_run([test], {test: now}, Baseline("6.1", tables), arm=arm([beside], test) if beside else None)
    (found,) = verdict.tests
    assert not found.gates
    assert (verdict.exit_code is ExitCode.REGRESSION) == bool(verdict.troubles)
    return found


@pytest.mark.parametrize(
    ("known", "now", "verdict", "unknown"),
    [
        # The same subtest again, another one, and both.
        (learned(BETA), BETA, V.KNOWN_FAILURE, ()),
        (learned(BETA), ALPHA, V.INCONCLUSIVE, ("sub:alpha",)),
        (learned(BETA), failing("alpha", "beta"), V.INCONCLUSIVE, ("sub:alpha",)),
        (learned(failing("alpha", "beta")), ALPHA, V.KNOWN_FAILURE, ()),
        (learned(*OFTEN_BETA), BETA, V.KNOWN_FLAKE, ()),
        (learned(*OFTEN_BETA), ALPHA, V.INCONCLUSIVE, ("sub:alpha",)),
        (learned(BETA, *[PASSES] * 6), BETA, V.INCONCLUSIVE, ()),  # the known one, but maybe more often
        (learned(BETA, PASSES), ALPHA, V.INCONCLUSIVE, ("sub:alpha",)),
        (learned(BETA), PLAIN, V.INCONCLUSIVE, ("fail",)),
        (learned(PLAIN), PLAIN, V.KNOWN_FAILURE, ()),
        (learned(PLAIN), ALPHA, V.INCONCLUSIVE, ("sub:alpha",)),
        # A crash by its title, and the three kinds apart.
        (learned(crashing("BUG in a")), crashing("BUG in a"), V.KNOWN_FAILURE, ()),
        (learned(crashing("BUG in a")), crashing("BUG in b"), V.INCONCLUSIVE, ("crash:BUG in b",)),
        (learned(crashing("BUG in a"), PASSES), crashing("BUG in b"), V.INCONCLUSIVE, ("crash:BUG in b",)),
        (learned(crashing("BUG in a")), DIES, V.INCONCLUSIVE, ("crash",)),
        (learned(crashing("BUG in a")), HANGS, V.INCONCLUSIVE, ("hang",)),
        (learned(HANGS), HANGS, V.KNOWN_FAILURE, ()),
        (learned(HANGS), PLAIN, V.INCONCLUSIVE, ("fail",)),
        # A file that does not say how: any failure of the same status is the known one.
        (OLD_FAILS, ALPHA, V.KNOWN_FAILURE, ()),
        (OLD_FAILS, crashing("BUG in a"), V.INCONCLUSIVE, ("crash:BUG in a",)),
        (OLD_CRASHES, crashing("BUG in a"), V.KNOWN_FAILURE, ()),
        (OLD_CRASHES, ALPHA, V.INCONCLUSIVE, ("sub:alpha",)),
        (added(OLD_FAILS, of_results(TEST, [BETA])), ALPHA, V.INCONCLUSIVE, ("sub:alpha",)),
        (added(OLD_FAILS, of_results(TEST, [HANGS])), ALPHA, V.KNOWN_FAILURE, ()),
        # What never failed, or is unknown.
        (learned(PASSES), ALPHA, V.INCONCLUSIVE, ("sub:alpha",)),
        (None, ALPHA, V.INCONCLUSIVE, ("sub:alpha",)),
        (learned(BETA), PASSES, V.FIXED, ()),
    ],
)
def test_how_it_went_bad_decides(known: Entry | None, now: Outcome, verdict: Verdict, unknown: tuple[str, ...]) -> None:
    found = judged(known, now)
    assert (found.verdict, found.unknown) == (verdict, unknown)


@pytest.mark.parametrize(
    ("known", "beside", "now", "verdict"),
    [
        (None, BETA, BETA, V.KNOWN_FAILURE),
        (None, BETA, ALPHA, V.INCONCLUSIVE),
        (learned(*[ALPHA] * 3), BETA, ALPHA, V.KNOWN_FAILURE),
        # It failed so once, and does not there.
        (learned(ALPHA), BETA, ALPHA, V.INCONCLUSIVE),
        (learned(ALPHA), failing("alpha", "beta"), ALPHA, V.KNOWN_FAILURE),
        # Known, and always so now, where it was rare.
        (learned(*[BETA] * 29, failing("alpha", "beta")), BETA, ALPHA, V.INCONCLUSIVE),
        (learned(*[BETA] * 29, failing("alpha", "beta")), ALPHA, ALPHA, V.KNOWN_FAILURE),
        (learned(*OFTEN_ALPHA), PASSES, ALPHA, V.KNOWN_FLAKE),
        (learned(*OFTEN_ALPHA), PASSES, BETA, V.INCONCLUSIVE),
        (OLD_FAILS, BETA, ALPHA, V.INCONCLUSIVE),
        (OLD_FAILS, HANGS, ALPHA, V.KNOWN_FAILURE),
        (OLD_FAILS, Outcome(S.MISSING), ALPHA, V.KNOWN_FAILURE),
        (None, crashing("BUG in a"), crashing("BUG in b"), V.INCONCLUSIVE),
        (None, crashing("BUG in a"), crashing("BUG in a"), V.KNOWN_FAILURE),
    ],
)
def test_the_baseline_kernel_says_how_too(known: Entry | None, beside: Outcome, now: Outcome, verdict: Verdict) -> None:
    assert judged(known, now, beside=beside).verdict is verdict


def test_imported_results_are_compared_by_status_alone() -> None:
    imported, printed = Outcome(S.FAIL, reason="output mismatch"), failing("output:0123abcd")
    known = of_results(FSTEST, [imported])
    assert judged(known, printed, test=FSTEST).verdict is V.KNOWN_FAILURE
    told = of_results(FSTEST, [printed])
    assert judged(told, imported, test=FSTEST).verdict is V.KNOWN_FAILURE
    assert judged(told, failing("output:4567abcd"), test=FSTEST).verdict is V.INCONCLUSIVE
    assert judged(None, printed, beside=imported, test=FSTEST).verdict is V.KNOWN_FAILURE


def test_a_way_that_was_rare_is_not_known_as_one_in_which_it_always_fails_now() -> None:
    rare = learned(*[BETA] * 29, failing("alpha", "beta"))
    assert judged(rare, ALPHA).verdict is V.INCONCLUSIVE
    assert judged(rare, ALPHA).unknown == (), "it was seen"
    assert judged(rare, BETA).verdict is V.KNOWN_FAILURE
    flaky = learned(*[PASSES] * 15, *[BETA] * 14, ALPHA)
    assert judged(flaky, BETA).verdict is V.KNOWN_FLAKE
    assert judged(flaky, ALPHA).verdict is V.INCONCLUSIVE
    # An older baseline counted failures, and not yet how.
    untold = added(Entry(Counts({S.FAIL: 29})), of_results(TEST, [ALPHA]))
    assert judged(untold, ALPHA).verdict is V.KNOWN_FAILURE


def test_an_expunge_list_does_not_say_how() -> None:
    known = Baseline("6.1").with_expunges({FSTEST: "https://bugs.example/1"})
    for now in (failing("output:0123abcd"), crashing("BUG in a"), HANGS):
        (found,) = judge_run([FSTEST], {FSTEST: now}, known).tests
        assert (found.verdict, found.unknown, found.in_another_way) == (V.KNOWN_FAILURE, (), False)


def test_all_repeats_have_the_ways_of_all() -> None:
    twice = {FSTEST: failing("output:0123abcd"), FSTEST.repeat(2): failing("output:4567abcd")}
    known = of_results(FSTEST, [failing("output:0123abcd")])
    baseline = Baseline("6.1", {("fstests", "xfs_crc"): Table("6.1", {FSTEST.name: known})})
    tests = judge_run(list(twice), twice, baseline).tests
    assert [each.verdict for each in tests] == [V.INCONCLUSIVE] * 2
    assert {each.unknown for each in tests} == {("output:4567abcd",)}
    assert tests[0].ways.known == ("output:0123abcd",)


def test_it_is_another_way_only_where_there_was_one() -> None:
    assert judged(learned(BETA), ALPHA).in_another_way
    assert judged(None, ALPHA, beside=BETA).in_another_way
    assert not judged(learned(PASSES), ALPHA).in_another_way
    assert not judged(None, ALPHA).in_another_way
    assert not judged(learned(BETA), BETA).in_another_way


OUTCOMES = st.sampled_from(
    [
        PASSES,
        Outcome(S.SKIP),
        Outcome(S.MISSING),
        PLAIN,
        HANGS,
        DIES,
        ALPHA,
        BETA,
        failing("alpha", "beta"),
        failing("a / x", "a"),
        crashing("BUG in a"),
        crashing("BUG in b"),
        Outcome(S.CRASH, oops="an old text"),
    ]
)
HISTORY = st.lists(OUTCOMES, max_size=6)
BAD = OUTCOMES.filter(lambda each: each.status.is_bad)
MORE = st.lists(OUTCOMES.filter(lambda each: each.reports or not each.oops), max_size=6)  # no old crash text


def baseline(history: Sequence[Outcome]) -> Baseline:
    known = Baseline("6.1")
    for outcome in history:
        known = learnt(known, {TEST: outcome})
    return known


@given(HISTORY, MORE, BAD)
def test_more_evidence_without_the_symptom_never_makes_it_known(
    history: Sequence[Outcome], more: Sequence[Outcome], now: Outcome
) -> None:
    before = ways(TEST, baseline(history).entry(TEST), (), [now])
    assume(before.unknown)
    added = ways(TEST, baseline([*history, *more]).entry(TEST), (), [now])
    learned_since = {each for outcome in more for each in ways(TEST, None, (), [outcome]).unknown}
    assert set(before.unknown) - learned_since == set(added.unknown)


@given(HISTORY, MORE, BAD)
def test_a_way_that_nobody_knows_stays_undecided_with_more_results_of_other_kinds(
    history: Sequence[Outcome], more: Sequence[Outcome], now: Outcome
) -> None:
    def found(seen: Sequence[Outcome]) -> Judged:
        return judge_run([TEST], {TEST: now}, baseline(seen)).tests[0]

    has = ways(TEST, None, (), [now]).unknown
    before = found(history)
    assume(before.unknown)
    assert before.verdict is V.INCONCLUSIVE
    assume(not any(set(has) & set(ways(TEST, None, (), [each]).unknown) for each in more))
    assert found([*history, *more]).verdict is V.INCONCLUSIVE


@given(HISTORY, OUTCOMES)
def test_what_was_accepted_is_known(history: Sequence[Outcome], now: Outcome) -> None:
    assert ways(TEST, baseline([*history, now]).entry(TEST), (), [now]).unknown == ()


@given(st.lists(OUTCOMES, min_size=1, max_size=4))
def test_two_arms_that_do_the_same_differ_in_nothing(outcomes: Sequence[Outcome]) -> None:
    assert ways(TEST, None, outcomes, outcomes).unknown == ()


def test_symptoms_in_a_file_are_those_of_the_verdict() -> None:
    entry = Entry(Counts({S.FAIL: 1}), symptoms={"sub:beta": Seen(1)})
    assert judged(entry, ALPHA).ways.known == ("sub:beta",)
