"""What fstests makes of the kernel it is prepared for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kdevops.errors import UserError
from kdevops.lab.model import Lab
from kdevops.progress import Progress, Report, silent
from kdevops.run.plan.absent import asked_record
from kdevops.suites.base import ChoosySuite, KernelBuild
from kdevops.suites.fstests import suite
from kdevops.suites.fstests.build import BuiltFstests
from kdevops.suites.fstests.kind import KIND
from kdevops.suites.fstests.suite import FstestsSuite, PreparedFstests
from tests.fakefstests import make_tree


def suite_of(tree: Path, baseline: Path | None = None, **fstests: object) -> FstestsSuite:
    guests = {"disks": [{"size": "20GiB", "count": 3}]}
    fstests = {"profiles": ["xfs_crc"], "source": {"path": str(tree)}, **fstests}
    lab = Lab.model_validate({"name": "fs", "guests": guests, "suites": {"fstests": fstests}})
    assert lab.suites.fstests
    (found,) = KIND.suites(lab.suites.fstests, lab.model_copy(update={"baseline": baseline}))
    assert isinstance(found, FstestsSuite)
    return found


def kernel(release: str = "6.1.0-18-amd64", **more: object) -> KernelBuild:
    return KernelBuild("key", None, None, None, release=release, **more)  # type: ignore[arg-type]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy, taken as it is for built."""
    tree = make_tree(tmp_path / "fstests")

    async def build(*_: object, **__: object) -> BuiltFstests:
        return BuiltFstests(tree, None, "k" * 32, "", tmp_path / "tar", tmp_path / "disk", {})

    monkeypatch.setattr(suite, "build", build)
    return tree


def prepare(fstests: FstestsSuite, kernel: KernelBuild, cache: Path, report: Report = silent) -> PreparedFstests:
    return asyncio.run(fstests.prepare(kernel, cache=cache, report=report))


def test_a_kernel_that_came_without_what_a_profile_needs_is_refused(tree: Path, tmp_path: Path) -> None:
    fstests = suite_of(tree, tests=["generic/001"])
    with pytest.raises(UserError, match=r"xfs_crc: needs a kernel with CONFIG_XFS_QUOTA=y, this has n"):
        prepare(fstests, kernel(config={"XFS_FS": "m", "XFS_POSIX_ACL": "y"}), tmp_path)
    for config in (None, {"XFS_FS": "m", "XFS_POSIX_ACL": "y", "XFS_QUOTA": "y"}):
        assert len(prepare(fstests, kernel(config=config), tmp_path).tests) == 1


def test_the_kernel_of_a_distribution_fails_what_that_distribution_is_known_to_fail(tree: Path, tmp_path: Path) -> None:
    for name, text in {"any": "generic/001 # any\n", "debian/12": "generic/002 # F:1/3\n"}.items():
        lists = tmp_path / "expunges" / name / "xfs/unassigned"
        lists.mkdir(parents=True)
        (lists / "all.txt").write_text(text)
    fstests = suite_of(tree, tests=["generic/00[12]"], expunges=[str(tmp_path / "expunges")])
    for distribution, known in {
        None: ["any", ""],
        ("debian", "12"): ["any", "F:1/3"],
        ("debian", "13"): ["any", ""],
    }.items():
        prepared = prepare(fstests, kernel(distribution=distribution), tmp_path)
        assert [test.known for test in prepared.tests] == known


def test_the_lists_in_the_baseline_come_after_those_of_the_lab(tree: Path, tmp_path: Path) -> None:
    for place, note in {"expunges": "of the lab", "baselines/expunges/fstests": "of the baseline"}.items():
        lists = tmp_path / place / "6.1.42/xfs/unassigned"
        lists.mkdir(parents=True)
        (lists / "all.txt").write_text(f"generic/001 # {note}\n")
    both = [str(tmp_path / "expunges")]
    for more, known, line in (
        ({}, "of the baseline (listed for 6.1.42)", "1 known failure, from the lists of 6.1.42"),
        (
            {"expunges": both},
            "of the lab; of the baseline (listed for 6.1.42)",
            "1 known failure, from the lists of 6.1.42",
        ),
    ):
        fstests = suite_of(tree, tmp_path / "baselines", tests=["generic/001"], **more)
        prepared = prepare(fstests, kernel("6.1.192"), tmp_path)
        assert [test.known for test in prepared.tests] == [known]
        assert prepared.known_from == line
    older = prepare(suite_of(tree, tmp_path / "baselines", tests=["generic/001"]), kernel("5.10.1"), tmp_path)
    assert older.known_from == "0 known failures found for 5.10.1"
    without = prepare(suite_of(tree, tmp_path / "nowhere", tests=["generic/001"]), kernel("6.1.192"), tmp_path)
    assert (without.known_from, [test.known for test in without.tests]) == ("", [""])


@pytest.mark.parametrize(
    ("lists", "line"),
    [
        ({}, "0 known failures found for 6.1.192"),
        ({"6.1.193": "generic/001\n"}, "0 known failures found for 6.1.192"),
        ({"6.1.42": "generic/001 # F:1/9\ngeneric/999\n"}, "1 known failure, from the lists of 6.1.42"),
        ({"any": "generic/001\ngeneric/002\n"}, "2 known failures, from the lists of any"),
    ],
)
def test_it_is_said_how_many_failures_are_known_and_from_where(
    tree: Path, tmp_path: Path, lists: dict[str, str], line: str
) -> None:
    (tmp_path / "expunges").mkdir()
    for name, text in lists.items():
        place = tmp_path / "expunges" / name / "xfs/unassigned"
        place.mkdir(parents=True)
        (place / "all.txt").write_text(text)
    said = list[Progress]()
    fstests = suite_of(tree, tests=["generic/00[12]"], expunges=[str(tmp_path / "expunges")], count=2)
    prepared = prepare(fstests, kernel(release="6.1.192"), tmp_path, said.append)
    assert prepared.known_from == line
    assert [each.detail for each in said if each.done][-1] == line
    assert prepare(suite_of(tree), kernel(), tmp_path).known_from == ""


def test_the_mark_of_each_test_begins_as_the_suite_says(tree: Path, tmp_path: Path) -> None:
    prepared = prepare(suite_of(tree, tests=["generic/001"]), kernel(), tmp_path)
    assert prepared.console_mark(prepared.tests[0].id).startswith(KIND.console_marks)


def test_what_the_lab_does_not_choose_of_the_tree_is_told_from_what_the_tree_lacks(tree: Path, tmp_path: Path) -> None:
    everything = {test.id.plain.name for test in prepare(suite_of(tree, groups=["all"]), kernel(), tmp_path).tests}
    prepared = prepare(suite_of(tree, tests=["generic/001"], count=2), kernel(), tmp_path)
    assert isinstance(prepared, ChoosySuite)
    assert everything - {"generic/001"} <= set(prepared.passed_over)
    assert "generic/001" not in prepared.passed_over
    assert asked_record([prepared], [], None)["passed_over"] == {"fstests": list(prepared.passed_over)}
    assert "passed_over" not in prepared.record, "another choice is no other suite"
