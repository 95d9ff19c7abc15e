import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import ExitCode, InfrastructureError
from kdevops.results.baseline import Baseline
from kdevops.results.compare import Verdict, judge
from kdevops.results.entry import Entry, Table
from kdevops.results.model import Counts, Outcome, Status, TestId
from kdevops.results.verdict import RunVerdict, judge_run

S = Status
PASSES, FLAKY, FAILS, SKIPS = (
    Counts({S.PASS: 9}),
    Counts({S.PASS: 9, S.FAIL: 2}),
    Counts({S.FAIL: 3}),
    Counts({S.SKIP: 4}),
)
CRASHES, HANGS_AND_PASSES, PASSES_AND_SKIPS = (
    Counts({S.CRASH: 1}),
    Counts({S.HANG: 1, S.PASS: 1}),
    Counts({S.PASS: 1, S.SKIP: 1}),
)
V = Verdict
any_counts = st.dictionaries(st.sampled_from(list(Status)), st.integers(0, 5)).map(Counts)


@pytest.mark.parametrize(
    ("before", "on_pass", "on_fail", "on_skip"),
    [
        (None, V.NEW, V.NEW, V.NEW),
        (Counts(), V.NEW, V.NEW, V.NEW),
        (SKIPS, V.NEW, V.NEW, V.OK),
        (PASSES, V.OK, V.REGRESSED, V.SKIPPED_NOW),
        (PASSES_AND_SKIPS, V.OK, V.REGRESSED, V.OK),
        (FLAKY, V.OK, V.KNOWN_FLAKE, V.SKIPPED_NOW),
        (FAILS, V.FIXED, V.KNOWN_FAILURE, V.SKIPPED_NOW),
        (CRASHES, V.FIXED, V.KNOWN_FAILURE, V.SKIPPED_NOW),
        (HANGS_AND_PASSES, V.OK, V.KNOWN_FLAKE, V.SKIPPED_NOW),
    ],
)
def test_every_cell(before: Counts | None, on_pass: Verdict, on_fail: Verdict, on_skip: Verdict) -> None:
    judged = [judge(before, Counts.of([status])) for status in (S.PASS, S.FAIL, S.SKIP, S.MISSING)]
    assert judged == [on_pass, on_fail, on_skip, V.MISSING]


@pytest.mark.parametrize("status", [S.CRASH, S.HANG])
def test_a_crash_or_hang_where_only_fails_are_known_is_a_regression(status: Status) -> None:
    now = Counts.of([status])
    assert judge(FAILS, now) is V.REGRESSED
    assert judge(FLAKY, now) is V.REGRESSED
    assert judge(CRASHES, now) is V.KNOWN_FAILURE
    assert judge(HANGS_AND_PASSES, now) is V.KNOWN_FLAKE


def test_one_old_flake_does_not_excuse_a_test_that_always_fails_now() -> None:
    once = Counts({S.PASS: 6, S.FAIL: 1})
    assert judge(once, Counts({S.FAIL: 7})) is V.REGRESSED
    assert judge(once, Counts({S.PASS: 6, S.FAIL: 1})) is V.KNOWN_FLAKE


@given(any_counts, st.integers(0, 5), any_counts)
def test_more_passes_in_the_baseline_never_make_a_verdict_blinder(before: Counts, more: int, now: Counts) -> None:
    if judge(before, now) is V.REGRESSED:
        assert judge(before + Counts({S.PASS: more}), now) is V.REGRESSED


def test_one_failure_among_passes_counts() -> None:
    now = Counts.of([S.PASS, S.FAIL, S.PASS])
    assert judge(PASSES, now) is V.REGRESSED
    assert judge(FAILS, now) is V.KNOWN_FAILURE


@given(st.none() | any_counts, any_counts)
def test_what_is_bad_never_looks_well(before: Counts | None, now: Counts) -> None:
    verdict = judge(before, now)
    if now.bad:
        assert verdict in {V.NEW, V.REGRESSED, V.KNOWN_FLAKE, V.KNOWN_FAILURE}
    else:
        assert verdict not in {V.REGRESSED, V.KNOWN_FLAKE, V.KNOWN_FAILURE}
    if not (now[S.PASS] or now.bad or now[S.SKIP]):
        assert verdict is V.MISSING


def tid(name: str, suite: str = "selftests") -> TestId:
    return TestId(suite, "default", name)


def run(statuses: dict[str, Status], known: dict[str, Counts] | None) -> RunVerdict:
    tables = {} if known is None else {("selftests", "default"): Table("6.1", {n: Entry(c) for n, c in known.items()})}
    planned = [tid(name) for name in statuses]
    outcomes = {tid(name): Outcome(status) for name, status in statuses.items()}
    return judge_run(planned, outcomes, Baseline("6.6", tables))


@pytest.mark.parametrize(
    ("statuses", "known", "code"),
    [
        ({"a": S.PASS}, {"a": PASSES}, ExitCode.OK),
        ({"a": S.PASS, "b": S.FAIL}, {"a": PASSES, "b": FAILS}, ExitCode.OK),
        ({"a": S.FAIL, "b": S.PASS}, {"a": FLAKY}, ExitCode.OK),
        ({"a": S.FAIL}, {"a": PASSES}, ExitCode.REGRESSION),
        ({"a": S.FAIL, "b": S.MISSING}, {"a": PASSES}, ExitCode.REGRESSION),
        ({"a": S.PASS, "b": S.MISSING}, {"a": PASSES}, ExitCode.INCOMPLETE),
        ({"a": S.SKIP}, {"a": SKIPS}, ExitCode.INCOMPLETE),
        ({"a": S.SKIP}, None, ExitCode.INCOMPLETE),
        ({}, None, ExitCode.INCOMPLETE),
        ({"a": S.FAIL, "b": S.PASS}, None, ExitCode.REGRESSION),
        ({"a": S.PASS, "b": S.FAIL}, {"a": PASSES}, ExitCode.REGRESSION),
        ({"a": S.PASS, "b": S.PASS}, {"a": PASSES}, ExitCode.OK),
        ({"a": S.PASS, "b": S.SKIP}, {"a": PASSES, "b": PASSES}, ExitCode.INCOMPLETE),
    ],
)
def test_exit_codes(statuses: dict[str, Status], known: dict[str, Counts] | None, code: ExitCode) -> None:
    assert run(statuses, known).exit_code is code


def test_a_failure_that_nobody_knows_gates_with_and_without_a_baseline_of_its_suite() -> None:
    baseline = Baseline("6.1", {("kunit", "default"): Table("6.1", {"x": Entry(PASSES), "z": Entry(FAILS)})})
    planned = [tid("x", "kunit"), tid("a"), tid("y", "kunit"), tid("z", "kunit")]
    verdict = judge_run(planned, {test: Outcome(S.FAIL) for test in planned}, baseline)
    assert [each.gates for each in verdict.tests] == [True, True, True, False]
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
