"""Every page of a store damaged in turn: each command answers as before, or says that the store is damaged."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.results.baselines.files import Files
from kdevops.results.model import KernelReport, Outcome, Status, Subtest, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.dirs import Dirs

PAGE = 4096
COMMANDS = [
    ["results"],
    ["results", "--json", "--lab", "xfs"],
    ["results", "1"],
    ["results", "1", "--json"],
    ["results", "2", "--format", "junit"],
    ["results", "1", "--test", "generic/001"],
    ["results", "history", "generic/002"],
    ["results", "history", "generic"],
    ["results", "check"],
]
DAMAGE: dict[str, Callable[[int], bytes]] = {
    "zeroed": lambda _: bytes(PAGE),
    "random": lambda page: random.Random(page).randbytes(PAGE),
}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    dice = random.Random(1)
    with Store(Dirs.default().state) as store:
        for number in range(3):
            ids = [TestId("fstests", "xfs", f"generic/{each:03}") for each in range(1, 40)]
            record = {
                "kernel": {"release": f"6.1.{number}"},
                "baseline": str(tmp_path / "baselines"),
                "guests": [dice.randbytes(9).hex() for _ in range(500)],
            }
            run = store.create_run("xfs" if number % 2 else "ext4", [PlannedRow(test, 60) for test in ids], record)
            with store.together():
                for test in ids[: -1 - number]:
                    status = dice.choice([Status.PASS, Status.PASS, Status.FAIL, Status.CRASH])
                    text = "BUG: x\n" + dice.randbytes(3000).hex() if status is Status.CRASH else ""
                    reports = (KernelReport("bug", "BUG: x", "BUG: x", True, text),) if text else ()
                    subtests = tuple(Subtest(f"s{each}", Status.FAIL, "r") for each in range(3))
                    store.ended(run, test, Outcome(status, 1.0, "why", subtests, "out", text, "xfs-1", 0, reports))
                store.finish(run)
            files = {"6.1/fstests/xfs.txt": "generic/001  fail=1  # " + dice.randbytes(4000).hex() + "\n"}
            store.keep_evidence(run, "commit", Files(tmp_path / "baselines", files).packed())
        found = store.path
    for number in range(1, 4):
        main(["results", str(number)])  # which keeps its verdict
    return found


@pytest.mark.parametrize("kind", DAMAGE)
def test_no_page_can_be_damaged_unseen(path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    whole = path.read_bytes()
    assert len(whole) % PAGE == 0
    before = {}
    for command in COMMANDS:
        capsys.readouterr()
        before[tuple(command)] = (main(command), capsys.readouterr().out)
    seen = 0
    for page in range(len(whole) // PAGE):
        damaged = whole[: page * PAGE] + DAMAGE[kind](page) + whole[(page + 1) * PAGE :]
        for command in COMMANDS:
            for each in path.parent.glob(f"{path.name}*"):
                each.unlink()
            path.write_bytes(damaged)
            code = main(command)
            said = capsys.readouterr()
            if (code, said.out) != before[tuple(command)]:
                assert code == 3, (page, command, said.err)
                assert "is damaged" in said.err, (page, command, said.err)
                seen += 1
            if command[1:] == ["check"] and not free(whole, page):
                assert code == 3, (page, "is not seen")
    assert seen > len(whole) // PAGE


def free(whole: bytes, page: int) -> bool:
    """Whether the page is in none of the tables: on the list of free ones."""
    return page + 1 in _freelist(whole)


def _freelist(whole: bytes) -> set[int]:
    found, trunk = set(), int.from_bytes(whole[32:36])
    while trunk:
        found.add(trunk)
        start = (trunk - 1) * PAGE
        leaves = int.from_bytes(whole[start + 4 : start + 8])
        found |= {int.from_bytes(whole[start + 8 + 4 * each : start + 12 + 4 * each]) for each in range(leaves)}
        trunk = int.from_bytes(whole[start : start + 4])
    return found


def test_what_is_wrong_is_told_to_programs_too(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "check"]) == 0
    whole = path.read_bytes()
    path.write_bytes(whole[: 5 * PAGE] + bytes(PAGE) + whole[6 * PAGE :])
    capsys.readouterr()
    assert main(["results", "check", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["problems"]
    assert told["error"]["exit_code"] == 3
