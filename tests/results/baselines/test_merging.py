"""What git makes of baselines that people accept runs into: the sum of all runs, or a conflict that is told."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.baselines import baseline
from kdevops.results.baselines.accepting import Accepted, accept
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.compaction import compacting
from kdevops.results.baselines.conditions import Conditions
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.pruning import forgetting
from kdevops.results.baselines.tables import all_places
from kdevops.results.baselines.writing import write
from kdevops.results.model import Counts, Outcome, Status, Subtest, TestId

HERE = Conditions("x86_64")
NAMES = tuple(f"generic/{number:03}" for number in range(1, 9))
ENDS = (
    *[Outcome(Status.PASS, 2.0)] * 6,
    Outcome(Status.SKIP),
    Outcome(Status.FAIL, 1.0, subtests=(Subtest("alpha", Status.FAIL),)),
    Outcome(Status.CRASH, 3.0),
)


def run(number: int) -> Accepted:
    """A run whose results are always the same."""
    ends = {
        TestId("fstests", "xfs_crc", name): ENDS[(number * 7 + place * (1 + number % 3)) % len(ENDS)]
        for place, name in enumerate(NAMES[: 5 + number % 4])
    }
    return Accepted(["demo", f"2026-11-{number:02}"], f"2026-11-{number:02}, lab demo", ends)


def load(directory: Path) -> Baseline:
    return baseline.load(directory, "6.1", HERE)


def summed(directory: Path) -> dict[str, Counts]:
    tables = load(directory).tables
    return {name: each.counts for table in tables.values() for name, each in table.entries.items() if each.counts.total}


def expected(numbers: set[int]) -> dict[str, Counts]:
    found: dict[str, Counts] = {}
    for number in numbers:
        for test, end in run(number).outcomes.items():
            found[test.name] = found.get(test.name, Counts()) + Counts.of([end.status])
    return found


class Repository:
    """A repository with a baseline in it, and what each branch has accepted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("commit", "-q", "--allow-empty", "-m", "begin")

    def git(self, *words: str, check: bool = True) -> str:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "core.hooksPath=/dev/null"]
        done = subprocess.run(["git", "-C", str(self.path), *who, *words], check=False, capture_output=True, text=True)
        if check and done.returncode:
            raise AssertionError(done.stdout + done.stderr)
        return done.stdout if done.returncode == 0 else "failed"

    def commit(self, what: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", what)

    def accept(self, number: int, *, names: Sequence[str] | None = None, replace: bool = False) -> None:
        only = None if names is None else {TestId("fstests", "xfs_crc", name) for name in names}
        written = write(self.path, accept(load(self.path), HERE, run(number), only=only, replace=replace).texts)
        self.commit(f"accept {number}" if written else "nothing new")

    def compact(self) -> None:
        files = Files(self.path)
        for place in all_places(files):
            if found := compacting(files, place):
                write(self.path, found[0], instead_of=found[1])
        self.commit("compact")

    def prune(self, *names: str) -> None:
        files = Files(self.path)
        for place in all_places(files):
            write(self.path, forgetting(files, place, names, date(2026, 12, 1)))
        self.commit("prune")


class People:
    """What several people do, each on a branch, and which runs each of them has accepted."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.here = "main"
        self.accepted: dict[str, set[int]] = {"main": set()}

    def do(self, what: str, number: int) -> bool:
        """One step; whether git went along with it."""
        others = sorted(self.accepted.keys() - {self.here})
        other = others[number % len(others)] if others else None
        if what == "accept":
            self.repository.accept(number)
            self.accepted[self.here].add(number)
        elif what == "compact":
            self.repository.compact()
        elif what == "branch":
            self._branch(f"b{len(self.accepted)}")
        elif other and what == "switch":
            self.repository.git("checkout", "-q", other)
            self.here = other
        elif other and what in {"merge", "rebase"}:
            words = ["merge", "-q", "--no-edit", other] if what == "merge" else ["rebase", "-q", other]
            self.accepted[self.here] |= self.accepted[other]
            return self.repository.git(*words, check=False) != "failed"
        elif other and what == "pick":
            return self._pick(other)
        return True

    def _branch(self, name: str) -> None:
        self.repository.git("checkout", "-q", "-b", name)
        self.accepted[name] = set(self.accepted[self.here])
        self.here = name

    def _pick(self, other: str) -> bool:
        last = self.repository.git("log", "-1", "--format=%s", other).strip()
        if not last.startswith("accept "):
            return True
        self.accepted[self.here].add(int(last.removeprefix("accept ")))
        words = ["cherry-pick", "--allow-empty", "--keep-redundant-commits", other]
        return self.repository.git(*words, check=False) != "failed"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), st.integers(1, 9)),
        st.tuples(
            st.sampled_from(["branch", "merge", "rebase", "pick", "compact", "switch", "revert"]), st.integers(0, 3)
        ),
    ),
    min_size=3,
    max_size=14,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_whatever_is_merged_is_the_sum_or_told(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    people = People(Repository(tmp_path_factory.mktemp("git") / "r"))
    for what, number in steps:
        try:
            going_on = people.do(what, number)
            found = summed(people.repository.path)
        except UserError as refused:
            told = refused.hint
            break
        if not going_on:  # git told of a conflict
            return
        assert found == expected(people.accepted[people.here]), (what, number)
    else:
        return
    assert told


def test_two_people_who_accept_runs_have_both_after_a_merge(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "r")
    repository.accept(1)
    repository.git("checkout", "-q", "-b", "other")
    repository.accept(2)
    repository.accept(3)
    repository.git("checkout", "-q", "main")
    repository.accept(3)
    repository.accept(4)
    repository.git("merge", "-q", "--no-edit", "other")
    assert summed(repository.path) == expected({1, 2, 3, 4})
    repository.accept(2)
    assert summed(repository.path) == expected({1, 2, 3, 4})
    repository.compact()
    assert summed(repository.path) == expected({1, 2, 3, 4})
    repository.git("revert", "--no-edit", "HEAD")
    assert summed(repository.path) == expected({1, 2, 3, 4})


def test_two_runs_that_replace_each_other_after_a_merge_are_told(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "r")
    repository.accept(1)
    repository.accept(2)
    repository.git("checkout", "-q", "-b", "other")
    repository.accept(1, replace=True)
    repository.git("checkout", "-q", "main")
    repository.accept(2, replace=True)
    repository.git("merge", "-q", "--no-edit", "other")
    with pytest.raises(UserError, match="replace each other") as refused:
        load(repository.path)
    line, name = re.findall("`(.*?)` in (.*?txt)", refused.value.hint or "")[0]
    (path,) = repository.path.rglob(name)
    path.write_text(path.read_text().replace(f"{line}\n", ""))
    assert summed(repository.path)


def test_passes_that_two_people_keep_of_the_same_runs_never_count_twice(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "r")
    for number in range(1, 7):
        repository.accept(number)
    repository.compact()
    bad = [name for name, counts in summed(repository.path).items() if counts.bad and counts[Status.PASS]]
    repository.git("checkout", "-q", "-b", "other")
    repository.prune(bad[0])
    repository.git("checkout", "-q", "main")
    repository.prune(*bad)
    before = summed(repository.path)
    repository.git("merge", "-q", "--no-edit", "other")
    with pytest.raises(UserError, match="would count twice"):
        load(repository.path)
    repository.git("rm", "-q", repository.git("diff", "--name-only", "--diff-filter=A", "HEAD^1").strip())
    assert summed(repository.path) == before


def test_the_rest_of_a_run_counts_after_a_selection_of_it_was_put_with_others(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "r")
    repository.accept(1, names=NAMES[:2])
    repository.accept(2)
    repository.compact()
    repository.accept(1, names=NAMES[2:4])
    repository.accept(1)
    assert summed(repository.path) == expected({1, 2})
    repository.compact()
    assert summed(repository.path) == expected({1, 2})


@pytest.mark.parametrize("how", ["revert", "cherry-pick"])
def test_a_list_that_git_left_behind_comes_back_with_the_command_that_is_told(tmp_path: Path, how: str) -> None:
    repository = Repository(tmp_path / "r")
    repository.git("checkout", "-q", "-b", "other")
    repository.accept(4)
    repository.accept(8)  # of the same tests
    if how == "revert":
        repository.git("revert", "--no-edit", "HEAD~1")
    else:
        repository.git("checkout", "-q", "main")
        repository.git("cherry-pick", "other")
    with pytest.raises(UserError, match="is not beside it") as refused:
        load(repository.path)
    subprocess.run(["sh", "-c", (refused.value.hint or "").removeprefix("restore it: ")], check=True)
    assert summed(repository.path) == expected({8})


@pytest.mark.parametrize("whole", [False, True])
def test_a_file_of_counts_with_other_runs_than_its_name_says_is_refused(tmp_path: Path, *, whole: bool) -> None:
    repository = Repository(tmp_path / "r")
    repository.accept(1)
    repository.accept(2)
    if whole:
        repository.compact()
    path = next(each for each in repository.path.rglob("*.txt") if each.read_text().startswith("run "))
    mark = path.read_text().split()[1]
    path.write_text(path.read_text().replace(mark, "0123456789abcdef"))
    with pytest.raises(UserError, match="no longer fits the runs"):
        load(repository.path)


@pytest.mark.parametrize("second", ["compact", "replace"])
def test_compactions_that_exclude_each_other_are_taken_back_with_the_command_that_is_told(
    tmp_path: Path, second: str
) -> None:
    repository = Repository(tmp_path / "r")
    repository.accept(4)
    repository.git("checkout", "-q", "-b", "other")
    repository.accept(2)
    repository.compact()
    repository.git("checkout", "-q", "main")
    repository.accept(8, replace=second == "replace")
    if second == "compact":
        repository.compact()
    repository.git("merge", "-q", "--no-edit", "other")
    with pytest.raises(UserError, match="but n") as refused:
        load(repository.path)
    command = (refused.value.hint or "").partition("once: ")[2].replace(" revert ", " revert --no-edit ")
    who = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["sh", "-c", command], check=True, env={**os.environ, **who})
    found = summed(repository.path)
    if second == "compact":
        assert found == expected({2, 4, 8})
    else:
        assert found == _with(expected({2}), expected({8}))


def _with(one: dict[str, Counts], other: dict[str, Counts]) -> dict[str, Counts]:
    return {name: one.get(name, Counts()) + other.get(name, Counts()) for name in one.keys() | other.keys()}
