"""`kdevops results export` and `import --bundle`: another machine shows the same."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.results.store import Store
from tests.cli.said import told
from tests.results.bundle.bundled import BAD, SECRET, filled
from tests.results.bundle.test_hostile import changed, members, write

RUNS = ("1", "2", "3", "4", "5", "6", "7")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with runs 1 to 7."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    state = tmp_path / "home"
    filled(state).close()
    monkeypatch.setenv("KDEVOPS_STATE", str(state))
    return state


@pytest.fixture
def bundle(capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path) -> Path:
    path = tmp_path / "runs.bundle"
    said = told(capsys, "results", "export", *("1", "2", "5", "6", "7"), "--bundle", str(path))
    assert re.fullmatch(rf"{path}: 7 runs, 5 files of output, [0-9]+ KiB\n", said)
    return path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["results", *arguments])
    said = capsys.readouterr()
    out = said.out.replace(os.environ["KDEVOPS_STATE"], "STATE").replace(f"u:{SECRET}@", "***@")
    return code, out, said.err


@pytest.mark.parametrize(
    "how", ["", "--json", "--format mail", "--format junit", "--format ktap", "--test bad", "--list fail"]
)
def test_another_machine_shows_the_same(
    capsys: pytest.CaptureFixture[str], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    at_home = [shown(capsys, number, *how.split()) for number in RUNS]
    listed = shown(capsys) if not how else None
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "away"))
    told(capsys, "results", "import", "--bundle", str(bundle))
    assert [shown(capsys, number, *how.split()) for number in RUNS] == at_home
    assert {code for code, *_ in at_home} & {1, 4} or how.startswith(("--test", "--list"))
    if listed:
        assert shown(capsys) == listed


def test_what_is_said_and_what_programs_read(
    capsys: pytest.CaptureFixture[str], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = json.loads(told(capsys, "results", "export", "7", "--bundle", str(tmp_path / "b"), "--json"))
    assert data == {
        "bundle": str(tmp_path / "b"), "runs": [7], "files": 0, "bytes": (tmp_path / "b").stat().st_size, "left_out": 0,
    }  # fmt: skip
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "away"))
    said = told(capsys, "results", "import", "--bundle", str(bundle))
    assert "run 2 of lab demo-dev: 3 tests, 2 reruns\n  see it: kdevops results 2" in said
    said = told(capsys, "results", "import", "--bundle", str(bundle))
    assert "already here as run 2 of lab demo-dev\n" in said
    facts = json.loads(told(capsys, "results", "import", "--bundle", str(bundle), "--json"))
    assert facts[1] == {"id": 2, "lab": "demo-dev", "already": True, "tests": 3, "reruns": 2}


@pytest.mark.parametrize("verb", ["rerun", "decide"])
def test_a_run_from_elsewhere_cannot_run_here(
    capsys: pytest.CaptureFixture[str], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "away"))
    told(capsys, "results", "import", "--bundle", str(bundle))
    assert "run 2 came in a bundle" in told(capsys, verb, "2", code=2)


def test_it_is_accepted_here_and_once(
    capsys: pytest.CaptureFixture[str], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(capsys, "baseline", "accept", "7")
    accepted = {path: path.read_bytes() for path in Path("baselines").rglob("*.txt")}
    assert accepted
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "away"))
    told(capsys, "results", "import", "--bundle", str(bundle))
    assert "run 7 was accepted already" in told(capsys, "baseline", "accept", "7")
    assert {path: path.read_bytes() for path in Path("baselines").rglob("*.txt")} == accepted


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import"], "nothing to import"),
        (["import", "--bundle", "x", "DIR"], "--bundle takes neither DIR"),
        (["import", "--bundle", "x", "--lab", "y"], "--bundle takes neither DIR"),
        (["import", "--bundle", "none"], "cannot read the bundle none"),
        (["export", "1"], "--bundle"),
        (["export", "9", "--bundle", "x"], "no run 9"),
        (["export", "3", "--bundle", "x"], "helps to decide run 2"),
    ],
)
def test_mistakes_are_explained(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert said in told(capsys, "results", *arguments, code=2)


@pytest.mark.parametrize(
    "values",
    [
        {"record__decision": {"alpha": "x"}},
        {"record__decision": 7},
        {"record__known": []},
        {"record__known": {"tests": {"commands": {"default": 5}}}},
        {"record__suites": []},
        {"record__asked": {}},
        {"record__asked": {"only": 7, "failures_of": None, "absent": []}},
        {"record__lab": []},
        {"record__lab__guests": 7},
        {"record__lab__verdict": {"allow_skips": "x"}},
        {"record__kernel": {"release": "no release", "spec": 7}},
        {"record__stray_reports": [1]},
        {"record__trouble": "x"},
        {"record__image": []},
        {"record__unwatched": {"count": "x"}},
        {"record__boot_failure": {"title": 7, "guest": [], "console": "x", "text": {}}},
    ],
    ids=str,
)
def test_a_record_of_nonsense_is_refused_or_shown(
    capsys: pytest.CaptureFixture[str], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "away"))
    write(bundle, changed(members(bundle), "runs/1/run.json", **values))
    code = main(["results", "import", "--bundle", str(bundle)])
    said = capsys.readouterr().err
    assert code in {0, 2}
    if code == 2:
        assert "hint: " in said
        with Store(tmp_path / "away") as store:
            assert store.runs() == ()
        return
    for how in ("", "--json", "--format mail", "--format junit", "--format ktap", "--test bad"):
        assert main(["results", "2", *how.split()]) in {0, 1, 2, 3, 4}


def test_escapes_in_a_bundle_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "away"))
    evil = "\x1b]0;owned\x07\x9b31mred\u202e"
    content = members(bundle)
    for number in range(7):
        content = changed(content, f"runs/{number}/run.json", record__kdevops=evil, record__host={evil: evil})
        content = changed(content, f"runs/{number}/tests.jsonl", outcome__oops=evil)
        notes = {"6.1/commands/default.txt": f"bad  pass=9 fail=3  1.0s  # {evil}\n"}
        content = changed(content, f"runs/{number}/evidence.json", texts=notes)
    content = {name: data + evil.encode() if "/files/" in name else data for name, data in content.items()}
    write(bundle, content)
    codes = [main(["results", "import", "--bundle", str(bundle)])]
    for how in ("", "--format mail", "--format junit", "--format ktap", "--test bad", "--list fail"):
        codes += [main(["results", number, *how.split()]) for number in RUNS]
    said = capsys.readouterr()
    assert codes[0] == 0
    assert not set("\x1b\x07\x9b\u202e") & set(said.out + said.err)


_KILLED = """
import os, sys, time
from pathlib import Path
from kdevops.results.store import Store
from kdevops.cli import bundle
step, path = sys.argv[1:]
def die(*_):
    print("there", flush=True)
    time.sleep(60)
if step == "check":
    bundle._shown = die
else:
    from kdevops.results.bundle import archive
    archive._write = die
from kdevops.__main__ import main
main(["results", "import", "--bundle", path])
"""


@pytest.mark.parametrize("step", ["copy", "check"])
def test_a_kill_leaves_nothing_that_is_seen(
    capsys: pytest.CaptureFixture[str], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "away"))
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, step, str(bundle)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "there\n"
        process.send_signal(signal.SIGKILL)
    assert told(capsys, "results") == "no run yet\n"
    assert "is whole: 0 runs" in told(capsys, "results", "check")
    left = sorted((tmp_path / "away/runs").iterdir())
    assert left
    told(capsys, "results", "import", "--bundle", str(bundle))
    assert "it failed: red\n" in told(capsys, "results", "2", "--test", str(BAD))
    for each in left:
        if each.exists():
            os.utime(each, (time.time() - 90_000,) * 2)
    told(capsys, "results", "prune", "--keep", "50", "--yes")
    assert sorted(path.name for path in (tmp_path / "away/runs").iterdir()) == ["1", "2", "4", "5"]
