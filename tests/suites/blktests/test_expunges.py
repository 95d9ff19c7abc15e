from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.suites.blktests.expunges import known
from kdevops.suites.blktests.kind import KIND


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = directory / name / "failures.txt"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return directory


def reasons(directories: list[Path], release: str) -> dict[str, str]:
    return {test: each.reason for test, each in known(directories, release).items()}


LISTS = {
    "5.17-rc7": "block/001 # old\n",
    "6.1.0-rc6": "block/011 # F:1/3\nblock/011 # hangs\nnvmeof-mp/001\n",
    "6.1.0-rc5-next-20221118": "block/012 # of another tree\n",
    "any": "block/011 # always\nsrp/001 # any\n",
}


@pytest.mark.parametrize(
    ("release", "tests"),
    [
        (
            "6.1.192",
            {"block/011": "F:1/3; hangs; always (listed for 6.1.0-rc6)", "nvmeof-mp/001": None, "srp/001": "any"},
        ),
        ("6.1.0-rc5-next-20221118", {"block/012": "of another tree", "block/011": "always", "srp/001": "any"}),
        ("5.18.0", {"block/001": "old (listed for 5.17-rc7)", "block/011": "always", "srp/001": "any"}),
        ("5.10.1", {"block/011": "always", "srp/001": "any"}),
    ],
)
def test_the_nearest_list_and_the_one_for_every_kernel(
    tmp_path: Path, release: str, tests: dict[str, str | None]
) -> None:
    found = reasons([write(tmp_path, LISTS)], release)
    assert found.keys() == tests.keys()
    assert all(found[test] == why for test, why in tests.items() if why)


def test_an_earlier_directory_comes_first(tmp_path: Path) -> None:
    one, other = (
        write(tmp_path / "one", {"6.1": "block/001 # a\n"}),
        write(tmp_path / "other", {"6.1.2": "block/001 # b\n"}),
    )
    assert reasons([one, other], "6.1.2") == {"block/001": "a; b (listed for 6.1)"}
    assert reasons([], "6.1.2") == {}
    assert reasons([tmp_path], "6.1.2") == {}


def test_what_is_no_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere is not a directory of expunge lists"):
        known([tmp_path / "nowhere"], "6.1.2")
    place = write(tmp_path / "t", {"6.1.2": "nonsense\n"})
    with pytest.raises(UserError, match=r"failures.txt:1: not a line"):
        known([place], "6.1.2")
    path = place / "6.1.2/failures.txt"
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(UserError, match="leads out of"):
        known([place], "6.1.2")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match="is not a regular file"):
        known([place], "6.1.2")


@given(st.text(max_size=20))
def test_any_kernel_has_a_list_or_none(tmp_path_factory: pytest.TempPathFactory, release: str) -> None:
    place = tmp_path_factory.getbasetemp() / "lists"
    if not place.exists():
        write(place, LISTS)
    assert {"block/011", "srp/001"} <= known([place], release).keys()


def test_all_devices_share_a_list() -> None:
    assert KIND.expunge_list("nodev") == KIND.expunge_list("nvme0n1") == PurePosixPath("failures.txt")
