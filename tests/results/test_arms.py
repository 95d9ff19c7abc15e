from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import ExitCode
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.compare import Verdict, judge, judge_beside
from kdevops.results.decision.decide import Decided
from kdevops.results.model import Counts, Outcome, RunState, Status, TestId
from kdevops.results.store import Run
from kdevops.results.verdict import Arm, RunVerdict, judge_run
from tests.support.decided import regressed

S, V = Status, Verdict
KEY = ("fstests", "xfs_crc")


def counts(**numbers: int) -> Counts:
    return Counts({Status(name): number for name, number in numbers.items()})


def entry(**numbers: int) -> Entry:
    return Entry(counts(**numbers))


def arm(outcomes: dict[str, Status], state: RunState = RunState.COMPLETE) -> Arm:
    run = Run(5, "ab", state, "2026-11-21T08:00:00.000+00:00", None, {})
    return Arm(run, {TestId(*KEY, name): Outcome(status) for name, status in outcomes.items()})


def judged(
    now: dict[str, Status],
    beside: Arm | None,
    known: dict[str, Entry] | None = None,
    decisions: Mapping[TestId, Decided] | None = None,
    **more: object,
) -> RunVerdict:
    tables = {KEY: Table("6.1", known)} if known else {}
    outcomes = {TestId(*KEY, name): Outcome(status) for name, status in now.items()}
    baseline = Baseline("6.1", tables, **more)  # type: ignore[arg-type]
    return judge_run(list(outcomes), outcomes, baseline, arm=beside, decisions=decisions or {})


def one(beside: Status | None, now: Status, known: Entry | None = None) -> Verdict:
    other = arm({"generic/001": beside} if beside else {})
    (test,) = judged({"generic/001": now}, other, {"generic/001": known} if known else None).tests
    return test.verdict


PASSES, FAILS, FLAKY, SKIPS = entry(**{"pass": 9}), entry(fail=3), entry(**{"pass": 40}, fail=10), entry(skip=2)


@pytest.mark.parametrize("known", [None, PASSES, FAILS, FLAKY, SKIPS])
def test_what_one_kernel_fails_is_the_difference(known: Entry | None) -> None:
    assert one(S.FAIL, S.PASS, known) is V.FIXED
    assert one(S.PASS, S.PASS, known) is V.OK
    # That it failed now and then without the change too is known: one more failure is no news of the change.
    assert one(S.PASS, S.FAIL, known) is (V.KNOWN_FLAKE if known is FLAKY else V.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        (None, V.KNOWN_FAILURE),
        (SKIPS, V.KNOWN_FAILURE),
        (FAILS, V.KNOWN_FAILURE),
        (FLAKY, V.KNOWN_FLAKE),
        (entry(**{"pass": 100}), V.KNOWN_FAILURE),
        # It failed once on the baseline kernel, which it may do by chance: that excuses no failure that may stay.
        (PASSES, V.INCONCLUSIVE),
        (entry(**{"pass": 9}, fail=2), V.INCONCLUSIVE),
    ],
)
def test_what_both_kernels_fail_is_known_where_that_can_hardly_be_chance(known: Entry | None, verdict: Verdict) -> None:
    assert one(S.FAIL, S.FAIL, known) is verdict
    assert one(S.FAIL, S.FAIL) is V.KNOWN_FAILURE


def test_a_crash_where_the_baseline_kernel_only_fails_is_not_the_known_failure() -> None:
    assert one(S.FAIL, S.CRASH) is V.INCONCLUSIVE
    assert one(S.CRASH, S.CRASH) is V.KNOWN_FAILURE
    assert one(S.CRASH, S.FAIL) is V.KNOWN_FAILURE


@pytest.mark.parametrize("nothing", [None, S.MISSING, S.HANG])
@pytest.mark.parametrize("now", [S.PASS, S.FAIL, S.CRASH, S.SKIP])
@pytest.mark.parametrize("known", [None, PASSES, FAILS, FLAKY, SKIPS])
def test_what_came_to_no_end_beside_it_is_no_knowledge(
    nothing: Status | None, now: Status, known: Entry | None
) -> None:
    if (nothing, now) == (S.HANG, S.SKIP):
        assert one(nothing, now, known) is V.SKIPPED_NOW, "it ran there, until it hung, and does not run here"
    else:
        assert one(nothing, now, known) is judge(known.counts if known else None, Counts.of([now]))


def test_a_hang_in_both_arms_is_no_regression() -> None:
    assert one(S.HANG, S.HANG) is V.KNOWN_FAILURE
    assert one(S.HANG, S.HANG, FAILS) is V.KNOWN_FAILURE
    assert one(S.HANG, S.HANG, PASSES) is V.INCONCLUSIVE, "of a test that passes, one hang may be chance"
    assert one(S.PASS, S.HANG) is V.INCONCLUSIVE


def test_a_skip_beside_it_excuses_the_skip_of_a_test_that_never_ran_and_nothing_else() -> None:
    assert one(S.SKIP, S.SKIP, PASSES) is V.SKIPPED_NOW
    assert one(S.SKIP, S.SKIP) is V.OK
    assert one(S.SKIP, S.FAIL, PASSES) is V.INCONCLUSIVE
    assert one(S.SKIP, S.FAIL) is V.INCONCLUSIVE
    assert one(S.PASS, S.SKIP) is V.SKIPPED_NOW


@pytest.mark.parametrize("note", ["korg#1", "F:1/11"])
def test_an_expunged_test_that_passes_beside_it_may_be_flaky_and_goes_wrong_in_any_way(note: str) -> None:
    test = TestId(*KEY, "generic/001")

    def one_of(beside: Status, now: Status) -> Verdict:
        (found,) = judged({"generic/001": now}, arm({"generic/001": beside}), expunged={test: note}).tests
        return found.verdict

    assert [one_of(S.PASS, now) for now in (S.PASS, S.FAIL, S.CRASH)] == [V.OK, V.KNOWN_FLAKE, V.KNOWN_FLAKE]
    assert [one_of(S.FAIL, now) for now in (S.PASS, S.FAIL, S.CRASH)] == [V.FIXED, V.KNOWN_FAILURE, V.KNOWN_FAILURE]
    assert one_of(S.MISSING, S.CRASH) is V.KNOWN_FAILURE


def test_all_repeats_beside_it_count_together() -> None:
    now = {"generic/001": S.PASS, "generic/001#2": S.FAIL}
    beside = arm({"generic/001": S.FAIL, "generic/001#2": S.PASS})
    tests = judged(now, beside).tests
    assert [each.verdict for each in tests] == [V.KNOWN_FLAKE, V.KNOWN_FLAKE]
    assert [each.arm for each in tests] == [Counts({S.PASS: 1, S.FAIL: 1})] * 2


def test_each_test_knows_what_it_did_beside() -> None:
    first, second = judged({"generic/001": S.FAIL, "generic/002": S.PASS}, arm({"generic/001": S.PASS})).tests
    assert (first.arm, first.verdict) == (Counts({S.PASS: 1}), V.INCONCLUSIVE)
    assert (second.arm, second.verdict) == (None, V.NEW)
    assert all(each.arm is None for each in judged({"generic/001": S.FAIL}, None).tests)


@pytest.mark.parametrize("state", list(RunState))
def test_a_run_is_as_incomplete_as_its_baseline_arm(state: RunState) -> None:
    beside = arm({"generic/001": S.PASS}, state)
    whole = state is RunState.COMPLETE
    good, bad = judged({"generic/001": S.PASS}, beside), judged({"generic/001": S.FAIL}, beside)
    assert good.complete
    assert good.exit_code is (ExitCode.OK if whole else ExitCode.INCOMPLETE)
    assert bad.exit_code is ExitCode.INCOMPLETE
    worse = judged({"generic/001": S.FAIL}, beside, decisions=regressed(TestId(*KEY, "generic/001")))
    assert worse.exit_code is ExitCode.REGRESSION


def test_whether_any_test_ran_there_is_known() -> None:
    assert not arm({}).ran
    assert not arm({"generic/001": S.SKIP, "generic/002": S.MISSING}).ran
    for status in (S.PASS, S.FAIL, S.CRASH, S.HANG):
        assert arm({"generic/001": S.SKIP, "generic/002": status}).ran


any_counts = st.dictionaries(st.sampled_from(list(Status)), st.integers(1, 3)).map(Counts)
entries = st.none() | st.builds(Entry, any_counts, expunged=st.booleans())


@given(entries, any_counts)
def test_no_arm_changes_nothing(known: Entry | None, now: Counts) -> None:
    expected = judge(known.counts, now, expunged=known.expunged) if known else judge(None, now)
    assert judge_beside(known, None, now) is expected


@given(entries, any_counts, any_counts)
def test_a_failure_that_one_of_both_has_is_open_only_if_one_of_both_passed(
    known: Entry | None, other: Counts, now: Counts
) -> None:
    fails = other[S.FAIL] or (known and known.counts[S.FAIL])
    if fails and judge_beside(known, other, now) is V.INCONCLUSIVE and now.bad == now[S.FAIL]:
        assert other[S.PASS] or (known and known.counts[S.PASS])


@given(entries, any_counts, any_counts)
def test_what_is_bad_never_looks_well_and_nobody_is_accused(known: Entry | None, other: Counts, now: Counts) -> None:
    verdict = judge_beside(known, other, now)
    assert (verdict in {V.INCONCLUSIVE, V.KNOWN_FLAKE, V.KNOWN_FAILURE}) == (now.bad > 0)
    assert verdict not in {V.REGRESSED, V.FLAKE}
    assert not (known and known.expunged and verdict is V.INCONCLUSIVE)


@given(entries, any_counts)
def test_two_arms_that_do_the_same_differ_in_nothing_but_for_what_did_not_run(known: Entry | None, now: Counts) -> None:
    if not (now.bad == now[S.HANG] or not now[S.HANG]):
        return
    verdict = judge_beside(known, now, now)
    if verdict is V.INCONCLUSIVE:  # both may have failed by chance, of a test that is known to pass
        assert now.bad
        assert known
        assert known.counts[S.PASS]
        assert not known.expunged
    elif verdict is V.SKIPPED_NOW:  # on both, but it ran before
        assert not now.ran
        assert known
        assert known.counts.ran
    else:
        assert verdict in {V.OK, V.KNOWN_FAILURE, V.KNOWN_FLAKE, V.MISSING}


@given(entries, any_counts, st.integers(1, 40))
def test_more_failures_of_the_baseline_kernel_never_excuse_less(known: Entry | None, now: Counts, more: int) -> None:
    if now.bad == now[S.FAIL] and judge_beside(known, Counts({S.FAIL: 1}), now) is V.KNOWN_FAILURE:
        assert judge_beside(known, Counts({S.FAIL: more}), now) is V.KNOWN_FAILURE
