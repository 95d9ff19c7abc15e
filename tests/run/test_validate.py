"""`lab validate`: what needs neither a network nor a build is said at once, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdevops.errors import UserError
from kdevops.lab.load import load_lab
from kdevops.paths import data_dir
from kdevops.run.validate import validate
from tests.fakelinux import make_tree


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is said against a lab, line by line; nothing for one that holds."""
    monkeypatch.chdir(tmp_path)

    def told(text: str, *overrides: str) -> list[str]:
        Path("x.yaml").write_text(text)
        loaded = load_lab(Path("x.yaml"), overrides)
        try:
            validate(loaded)
        except UserError as error:
            return error.message.splitlines()
        return []

    return told


@pytest.mark.parametrize("path", sorted(data_dir("labs").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_labs_hold(path: Path) -> None:
    if path.stem != "patch":  # which is for the top of a kernel tree
        validate(load_lab(path))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("kernel: {source: {path: /etc/passwd}}", "2:19: kernel.source.path: kernel source /etc/passwd is not a directory"),
        ("kernel: {source: {path: .}}", "2:19: kernel.source.path: {here} is not a kernel source tree: it has no Makefile"),
        ("kernel: {config: {base: leann}}", "2:19: kernel.config.base: there is no base configuration 'leann'; did you mean"),
        ("kernel: {config: {fragments: [kasn]}}", "2:10: kernel.config: there is no configuration fragment 'kasn'; did"),
        ("kernel: {patches: ['x.yaml']}", "2:10: kernel.patches: "),
        ("compare: {kernel: {config: {base: leann}}}", "2:29: compare.kernel.config.base: there is no base"),
        (
            "suites: {fstests: {profiles: [xfs_cr]}}",
            "2:20: suites.fstests.profiles: there is no profile 'xfs_cr'; did you mean xfs_crc",
        ),
        ("suites: {fstests: {profiles: [xfs_crc]}}", "1:1: guests.disks: suites.fstests needs "),
        (
            "suites: {fstests: {profiles: [tmpfs_default], source: {path: .}}}",
            "2:47: suites.fstests.source: {here} is not fstests: it has no ",
        ),
        (
            "guests: {count: 20}\nsuites: {fstests: {profiles: [nfs_v42]}}",
            "3:20: suites.fstests.profiles: guests.count is 20, but nfsd serves 12 guests at most",
        ),
    ],
)  # fmt: skip
def test_what_cannot_work_is_told_with_its_place(told, text: str, line: str) -> None:
    lines = told(f"name: x\n{text}\n")
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"x.yaml:{line.replace('{here}', str(Path.cwd()))}")


def test_all_parts_are_told_of_at_once(told) -> None:
    text = (
        "name: x\nkernel: {source: {path: .}, config: {base: leann}}\nguests: {}\n"
        "suites: {fstests: {profiles: [xfs_cr]}}\n"
    )
    assert [line.split(":")[1] for line in told(text)] == ["2", "2", "4"]
    assert told("name: x\n", "kernel.source.path=.")[0].startswith("--set kernel.source.path=.: kernel.source.path: ")


def test_a_tree_is_asked_for_its_selftests(told, tmp_path: Path) -> None:
    make_tree(tmp_path / "linux")
    (tmp_path / "linux/tools/testing/selftests/Makefile").write_text("TARGETS += toy\n")
    text = "name: x\nkernel: {source: {path: linux}}\nsuites: {selftests: {targets: [toyy]}}\n"
    (line,) = told(text)
    assert line.startswith("x.yaml:3:22: suites.selftests.targets: ")
    assert line.endswith("has no target 'toyy'; did you mean toy?")
    assert told(text.replace("toyy", "toy")) == []
    (tmp_path / "linux/.config").touch()
    assert "was built in place" in told(text)[0]
