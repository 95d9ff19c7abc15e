import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import ExitCode, InfrastructureError
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.compare import Verdict, judge
from kdevops.results.decision.decide import Decided
from kdevops.results.model import Counts, Outcome, Status, TestId
from kdevops.results.verdict import RunVerdict, judge_run
from tests.support.decided import FLAKE, OPEN, REGRESSED, regressed

S = Status
PASSES, FLAKY, FAILS, SKIPS = (
    Counts({S.PASS: 9}),
    Counts({S.PASS: 40, S.FAIL: 10}),
    Counts({S.FAIL: 3}),
    Counts({S.SKIP: 4}),
)
CRASHES, HANGS_AND_PASSES, PASSES_AND_SKIPS = (
    Counts({S.CRASH: 1}),
    Counts({S.HANG: 3, S.PASS: 3}),
    Counts({S.PASS: 1, S.SKIP: 1}),
)
HARDLY_EVER = Counts({S.PASS: 9, S.FAIL: 2})
V = Verdict
any_counts = st.dictionaries(st.sampled_from(list(Status)), st.integers(0, 5)).map(Counts)


@pytest.mark.parametrize(
    ("before", "on_pass", "on_fail", "on_skip"),
    [
        (None, V.NEW, V.INCONCLUSIVE, V.NEW),
        (Counts(), V.NEW, V.INCONCLUSIVE, V.NEW),
        (SKIPS, V.NEW, V.INCONCLUSIVE, V.OK),
        (PASSES, V.OK, V.INCONCLUSIVE, V.SKIPPED_NOW),
        (PASSES_AND_SKIPS, V.OK, V.INCONCLUSIVE, V.OK),
        (FLAKY, V.OK, V.KNOWN_FLAKE, V.SKIPPED_NOW),
        (HARDLY_EVER, V.OK, V.INCONCLUSIVE, V.SKIPPED_NOW),
        (FAILS, V.FIXED, V.KNOWN_FAILURE, V.SKIPPED_NOW),
        (CRASHES, V.FIXED, V.KNOWN_FAILURE, V.SKIPPED_NOW),
        (HANGS_AND_PASSES, V.OK, V.KNOWN_FLAKE, V.SKIPPED_NOW),
    ],
)
def test_every_cell(before: Counts | None, on_pass: Verdict, on_fail: Verdict, on_skip: Verdict) -> None:
    judged = [judge(before, Counts.of([status])) for status in (S.PASS, S.FAIL, S.SKIP, S.MISSING)]
    assert judged == [on_pass, on_fail, on_skip, V.MISSING]


@pytest.mark.parametrize("status", [S.CRASH, S.HANG])
def test_a_crash_or_hang_where_only_fails_are_known_is_not_the_known_failure(status: Status) -> None:
    now = Counts.of([status])
    assert judge(FAILS, now) is V.INCONCLUSIVE
    assert judge(FLAKY, now) is V.INCONCLUSIVE
    assert judge(CRASHES, now) is V.KNOWN_FAILURE
    assert judge(HANGS_AND_PASSES, now) is V.KNOWN_FLAKE


def test_one_old_flake_does_not_excuse_a_test_that_always_fails_now() -> None:
    once = Counts({S.PASS: 6, S.FAIL: 1})
    assert judge(once, Counts({S.FAIL: 7})) is V.INCONCLUSIVE
    assert judge(once, Counts({S.PASS: 6, S.FAIL: 1})) is V.KNOWN_FLAKE


@given(any_counts, st.integers(0, 50), any_counts)
def test_more_passes_known_never_excuse_a_failure(before: Counts, more: int, now: Counts) -> None:
    if judge(before, now) is V.INCONCLUSIVE:
        assert judge(before + Counts({S.PASS: more}), now) is V.INCONCLUSIVE


def test_one_failure_among_passes_counts() -> None:
    now = Counts.of([S.PASS, S.FAIL, S.PASS])
    assert judge(PASSES, now) is V.INCONCLUSIVE
    assert judge(FAILS, now) is V.KNOWN_FAILURE


@given(st.none() | any_counts, any_counts)
def test_what_is_bad_never_looks_well(before: Counts | None, now: Counts) -> None:
    verdict = judge(before, now)
    if now.bad:
        assert verdict in {V.INCONCLUSIVE, V.KNOWN_FLAKE, V.KNOWN_FAILURE}
    else:
        assert verdict in {V.OK, V.FIXED, V.NEW, V.SKIPPED_NOW, V.MISSING}
    if not (now[S.PASS] or now.bad or now[S.SKIP]):
        assert verdict is V.MISSING


@given(st.none() | any_counts, st.integers(1, 5), st.booleans())
def test_a_failure_is_known_only_where_one_was_seen(before: Counts | None, bad: int, expunged: bool) -> None:
    verdict = judge(before, Counts({S.FAIL: bad}), expunged=expunged)
    if verdict is not V.INCONCLUSIVE:
        assert expunged or (before and before.bad)


def tid(name: str, suite: str = "selftests") -> TestId:
    return TestId(suite, "default", name)


def run(statuses: dict[str, Status], known: dict[str, Counts] | None, **more: object) -> RunVerdict:
    tables = {} if known is None else {("selftests", "default"): Table("6.1", {n: Entry(c) for n, c in known.items()})}
    planned = [tid(name) for name in statuses]
    outcomes = {tid(name): Outcome(status) for name, status in statuses.items()}
    return judge_run(planned, outcomes, Baseline("6.6", tables), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("statuses", "known", "code"),
    [
        ({"a": S.PASS}, {"a": PASSES}, ExitCode.OK),
        ({"a": S.PASS, "b": S.FAIL}, {"a": PASSES, "b": FAILS}, ExitCode.OK),
        ({"a": S.FAIL, "b": S.PASS}, {"a": FLAKY}, ExitCode.OK),
        ({"a": S.FAIL, "b": S.PASS}, {"a": HARDLY_EVER}, ExitCode.INCOMPLETE),
        ({"a": S.FAIL}, {"a": PASSES}, ExitCode.INCOMPLETE),
        ({"a": S.PASS, "b": S.MISSING}, {"a": PASSES}, ExitCode.INCOMPLETE),
        ({"a": S.SKIP}, {"a": SKIPS}, ExitCode.INCOMPLETE),
        ({"a": S.SKIP}, None, ExitCode.INCOMPLETE),
        ({}, None, ExitCode.INCOMPLETE),
        ({"a": S.FAIL, "b": S.PASS}, None, ExitCode.INCOMPLETE),
        ({"a": S.PASS, "b": S.FAIL}, {"a": PASSES}, ExitCode.INCOMPLETE),
        ({"a": S.PASS, "b": S.PASS}, {"a": PASSES}, ExitCode.OK),
        ({"a": S.PASS, "b": S.SKIP}, {"a": PASSES, "b": PASSES}, ExitCode.INCOMPLETE),
    ],
)
def test_exit_codes(statuses: dict[str, Status], known: dict[str, Counts] | None, code: ExitCode) -> None:
    assert run(statuses, known).exit_code is code


@pytest.mark.parametrize("status", [S.FAIL, S.CRASH, S.HANG])
@pytest.mark.parametrize(
    ("decisions", "verdict", "code"),
    [
        ({}, V.INCONCLUSIVE, ExitCode.INCOMPLETE),
        ({tid("a"): OPEN}, V.INCONCLUSIVE, ExitCode.INCOMPLETE),
        ({tid("a"): FLAKE}, V.FLAKE, ExitCode.OK),
        ({tid("a"): REGRESSED}, V.REGRESSED, ExitCode.REGRESSION),
    ],
)
@pytest.mark.parametrize("known", [None, {"a": PASSES}, {"a": HARDLY_EVER}])
def test_only_reruns_make_a_failure_a_regression(
    status: Status, decisions: dict[TestId, Decided], verdict: Verdict, code: ExitCode, known: dict[str, Counts] | None
) -> None:
    judged = run({"a": status}, known, decisions=decisions)
    assert [each.verdict for each in judged.tests] == [verdict]
    assert [each.gates for each in judged.tests] == [code is ExitCode.REGRESSION]
    assert [each.test for each in judged.undecided] == ([tid("a")] if verdict is V.INCONCLUSIVE else [])
    assert judged.exit_code is code


@pytest.mark.parametrize("other", [S.MISSING, S.FAIL, S.SKIP])
def test_a_regression_outweighs_what_is_lacking(other: Status) -> None:
    statuses, known = {"a": S.FAIL, "b": other}, {"a": PASSES, "b": PASSES}
    assert run(statuses, known).exit_code is ExitCode.INCOMPLETE
    assert run(statuses, known, decisions=regressed(tid("a"))).exit_code is ExitCode.REGRESSION


@pytest.mark.parametrize(
    ("status", "known", "verdict", "code"),
    [
        (S.CRASH, {"a": PASSES}, V.REGRESSED, ExitCode.REGRESSION),
        (S.HANG, {"a": PASSES}, V.REGRESSED, ExitCode.REGRESSION),
        (S.CRASH, {"a": FAILS}, V.REGRESSED, ExitCode.REGRESSION),
        (S.CRASH, {"a": FLAKY}, V.REGRESSED, ExitCode.REGRESSION),
        (S.CRASH, {"a": SKIPS}, V.NEW, ExitCode.REGRESSION),
        (S.HANG, {"b": PASSES}, V.NEW, ExitCode.REGRESSION),
        (S.HANG, None, V.NEW, ExitCode.REGRESSION),
        # What is known stays known, and one fail says no more than it does elsewhere.
        (S.CRASH, {"a": CRASHES}, V.KNOWN_FAILURE, ExitCode.OK),
        (S.HANG, {"a": HANGS_AND_PASSES}, V.KNOWN_FLAKE, ExitCode.OK),
        (S.FAIL, {"a": PASSES}, V.INCONCLUSIVE, ExitCode.INCOMPLETE),
        (S.FAIL, {"a": HARDLY_EVER}, V.INCONCLUSIVE, ExitCode.INCOMPLETE),
        (S.FAIL, None, V.INCONCLUSIVE, ExitCode.INCOMPLETE),
        (S.FAIL, {"a": FAILS}, V.KNOWN_FAILURE, ExitCode.OK),
    ],
)
def test_what_cannot_run_again_is_judged_by_what_it_looks_like(
    status: Status, known: dict[str, Counts] | None, verdict: Verdict, code: ExitCode
) -> None:
    imported = run({"a": status}, known, can_rerun=False)
    assert ([each.verdict for each in imported.tests], imported.exit_code) == ([verdict], ExitCode(code))
    here = run({"a": status}, known)
    differs = verdict in {V.REGRESSED, V.NEW}
    assert [each.verdict for each in here.tests] == [V.INCONCLUSIVE if differs else verdict]
    assert here.exit_code is (ExitCode.INCOMPLETE if differs else code)


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from(list(Status))), st.none() | any_counts)
def test_that_it_cannot_run_again_changes_only_crashes_and_hangs_that_nobody_knows(
    statuses: dict[str, Status], before: Counts | None
) -> None:
    known = dict.fromkeys("ab", before) if before else None
    here, imported = run(statuses, known), run(statuses, known, can_rerun=False)
    for one, other in zip(here.tests, imported.tests, strict=True):
        if one.verdict is V.INCONCLUSIVE and one.outcome.status.took_the_guest:
            assert other.gates
        else:
            assert (one.verdict, one.gates) == (other.verdict, other.gates)


def test_a_failure_that_nobody_knows_is_not_decided_with_and_without_a_baseline_of_its_suite() -> None:
    baseline = Baseline("6.1", {("kunit", "default"): Table("6.1", {"x": Entry(PASSES), "z": Entry(FAILS)})})
    planned = [tid("x", "kunit"), tid("a"), tid("y", "kunit"), tid("z", "kunit")]
    verdict = judge_run(planned, {test: Outcome(S.FAIL) for test in planned}, baseline)
    assert [each.verdict for each in verdict.tests] == [*[V.INCONCLUSIVE] * 3, V.KNOWN_FAILURE]
    assert not any(each.gates for each in verdict.tests)
    assert verdict.exit_code is ExitCode.INCOMPLETE
    decided = judge_run(
        planned, {test: Outcome(S.FAIL) for test in planned}, baseline, decisions=regressed(*planned[:3])
    )
    assert [each.gates for each in decided.tests] == [True, True, True, False]
    assert verdict.compared == {("kunit", "default"): "6.1", ("selftests", "default"): None}


def test_a_planned_test_without_an_outcome_is_missing() -> None:
    verdict = judge_run([tid("a"), tid("b")], {tid("a"): Outcome(S.PASS)}, Baseline("6.1"))
    assert verdict.counts[S.MISSING] == 1
    assert not verdict.complete
    assert verdict.of(V.MISSING)[0].test == tid("b")


@given(st.lists(st.sampled_from(list(Status)), max_size=20))
def test_planned_is_the_sum_of_all_statuses(statuses: list[Status]) -> None:
    verdict = run({f"t{n}": status for n, status in enumerate(statuses)}, None)
    assert sum(verdict.counts[status] for status in Status) == len(statuses)


@pytest.mark.parametrize("planned", [[tid("a")], [tid("a"), tid("b"), tid("b")]])
def test_numbers_that_do_not_add_up_are_refused(planned: list[TestId]) -> None:
    with pytest.raises(InfrastructureError, match="do not add up"):
        judge_run(planned, {tid("a"): Outcome(S.PASS), tid("b"): Outcome(S.PASS)}, Baseline("6.1"))
