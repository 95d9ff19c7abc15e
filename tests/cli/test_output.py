"""What is printed where standard output cannot be written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import kdevops
from kdevops.__main__ import main
from kdevops.cli.output import print_json
from kdevops.results.model import Outcome, Status
from tests.cli.test_results import stored

FULL = "cannot write to standard output: No space left on device\nhint: free some space there\n"


DEVICE = Path("/dev/full")


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "argv",
    [
        "results",
        "results --json",
        "results 1",
        "results 1 --json",
        "results 1 --format mail",
        "results 1 --format junit",
        "results 1 --format ktap",
        "results 1 --test 001",
        "results 1 --test 001 --json",
        "results 1 --list fail --json",
        "baseline diff 1 --json",
        "baseline accept 1 --json",
        "lab schema",
        "kernel show --json",
    ],
)
def test_a_full_disk_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, argv: str
) -> None:
    stored({"xfs_crc/generic/001": Outcome(Status.PASS), "xfs_crc/generic/002": Outcome(Status.FAIL)})
    with DEVICE.open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(argv.split()) == 3
    assert capsys.readouterr().err == FULL


def test_an_error_that_cannot_be_printed_as_json_is_told_all_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with DEVICE.open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["results", "7", "--json"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("no run 7 in ")
    assert said.endswith(FULL)


@pytest.mark.parametrize("stderr", [subprocess.PIPE, subprocess.DEVNULL, "full"])
def test_the_interpreter_ends_without_a_word_of_its_own(tmp_path: Path, stderr: int | str) -> None:
    argv = [sys.executable, "-m", "kdevops", "results", "--json", "--state", str(tmp_path)]
    with DEVICE.open("w") as full:
        done = subprocess.run(argv, stdout=full, stderr=full if stderr == "full" else stderr, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr == (FULL if stderr == subprocess.PIPE else None)


def test_where_no_error_can_be_told_the_exit_code_and_json_are_left(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "kdevops", "results", "7", "--json", "--state", str(tmp_path)]
    with DEVICE.open("w") as full:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["exit_code"] == 2


def test_a_reader_that_is_gone_when_an_error_is_told_is_no_trouble(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "kdevops", "results", "7", "--json", "--state", str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 141
    assert said.startswith("no run 7")
    assert "Traceback" not in said


def test_json_in_pieces_is_the_json_of_the_library(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdevops.cli.output._PIECES", 3)
    for data in ({}, [], {"a": [1, 2.5, None, True, {"ü\ud800": "\x1b"}], "b": {"c": []}}, "text", 1):
        for indent in (2, None):
            print_json(data, indent=indent)
            assert capsys.readouterr().out == json.dumps(data, indent=indent) + "\n"


def test_json_is_printed_in_one_place_alone() -> None:
    package = Path(kdevops.__file__).parent
    places = {
        path.name
        for path in (package / "__main__.py", *(package / "cli").glob("*.py"))
        for line in path.read_text().splitlines()
        if ("json.dump" in line and "echo" in line) or "iterencode" in line
    }
    assert places == {"output.py"}
