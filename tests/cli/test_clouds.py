"""What is asked before anything is made, what status says of age, and what is overdue."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import click
import pytest
from rich.console import Console

from kdevops.__main__ import main
from kdevops.cli.options import Context
from kdevops.errors import UserError
from kdevops.providers.terraform import record as terraform_record
from kdevops.providers.terraform.record import PlaceRecord, Record
from kdevops.report.live import Display

TOY = Path(__file__).parents[1] / "providers/terraform/toy"
LAB = f"""name: cloudy
provider: {{type: terraform, module: {TOY}, allow: [192.0.2.0/24]}}
guests: {{count: 2}}
"""
WITH_TERRAFORM = pytest.mark.skipif(
    not (shutil.which("terraform") or shutil.which("tofu")), reason="neither terraform nor tofu is here"
)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("KDEVOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KDEVOPS_LAB", raising=False)
    Path("lab.yaml").write_text(LAB)
    return tmp_path / "state"


def record(state: Path, name: str = "cloudy", *, hours: float = -3) -> Record:
    """A lab whose machines are to be gone in so many hours."""
    now = terraform_record.now()
    made = Record(
        lab=name, created=now - timedelta(hours=21), expires=now + timedelta(hours=hours), tool="/nowhere", origin=str(TOY),
        where="toy here", nodes=(f"{name}-1", f"{name}-2"), allowed=("192.0.2.0/24",), digest="", complete=True,
    )  # fmt: skip
    (state / "labs" / name).mkdir(parents=True)
    terraform_record.save(state / "labs" / name, made)
    return made


class Terminal:
    """Somebody at a terminal, who answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, answer: bool | None) -> None:
        self.asked = 0
        self.answer = answer
        monkeypatch.setattr(sys.stdin, "isatty", lambda: answer is not None)
        monkeypatch.setattr(click, "confirm", self._confirm)

    def _confirm(self, *_: object, **__: object) -> bool:
        self.asked += 1
        assert self.answer is not None
        return self.answer


def test_one_yes_is_for_the_whole_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(monkeypatch, answer=True)
    ask = Context().asker(["and as many again"])
    assert ask(["make 2"])
    assert ask(["make 1"])
    assert terminal.asked == 1
    assert capsys.readouterr().err.splitlines() == ["make 2", "and as many again", "make 1"]


def test_what_was_agreed_to_is_not_shown_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Terminal(monkeypatch, answer=True)
    ask = Context().asker()
    assert ask(["make 2", "until 10:00"])
    assert ask(["make 2", "until 10:01"])
    assert capsys.readouterr().err.splitlines() == ["make 2", "until 10:00"]


def test_a_no_is_a_no_and_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, answer=False)
    ask = Context().asker()
    assert not ask(["make 2"])
    assert not ask(["make 2"])
    assert terminal.asked == 2


def test_yes_on_the_command_line_shows_and_does_not_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(monkeypatch, answer=None)
    assert Context(yes=True).asker()(["make 2"])
    assert terminal.asked == 0
    assert "make 2" in capsys.readouterr().err


def test_without_a_terminal_there_is_nobody_to_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Terminal(monkeypatch, answer=None)
    with pytest.raises(UserError) as error:
        Context().asker()(["make 2"])
    assert "--yes" in (error.value.hint or "")
    assert "make 2" in capsys.readouterr().err, "what would have been made is shown"


@pytest.mark.parametrize("terminal", [True, False])
def test_the_picture_is_put_away_for_a_question(terminal: bool) -> None:
    console = Console(force_terminal=terminal, force_interactive=terminal)
    started: list[bool] = []

    def ask(lines: Sequence[str]) -> bool:
        started.append(bool(display._live and display._live.is_started))
        return lines == ["x"]

    with Display(console, ask=ask) as display:
        assert display.confirm(["x"])
        assert bool(display._live and display._live.is_started) == terminal
    assert started == [False]
    with pytest.raises(UserError), Display(console) as nobody:
        nobody.confirm(["x"])


def test_status_tells_age_and_warns_of_what_is_overdue(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = record(state)
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    assert f"cloudy in toy here: made 21 h ago, OVERDUE since {made.expires:%Y-%m-%d %H:%M} UTC" in out
    assert main(["status", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)[0]["expires"] == made.expires.isoformat()
    assert "OVERDUE" in captured.err


def test_status_of_what_is_not_overdue(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(state, hours=3.5)
    assert main(["status"]) == 0
    assert "to be gone by" in capsys.readouterr().out


def test_status_says_when_a_cloud_cannot_be_asked(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = record(state, hours=3.5)
    place = PlaceRecord(
        host="192.0.2.7", port=22, identity="i", disks=(), reset=(), state=("no-such-command",), console=()
    )
    places = dict.fromkeys(made.nodes, place)
    terraform_record.save(state / "labs/cloudy", made.model_copy(update={"places": places, "origin": "oci"}))
    assert main(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "cloudy-1  unknown  ssh 192.0.2.7:22"
    assert (
        lines[-1] == "unknown: the cloud or its command-line tool does not answer; see kdevops doctor --terraform oci"
    )


def test_status_tells_the_age_of_an_arm_that_alone_is_in_a_cloud(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(state, hours=3.5)
    under_test = "provider: {type: hosts, hosts: [{address: 192.0.2.1, user: me}]}"
    compared = LAB.partition("\n")[2].partition("\n")[0]
    Path("lab.yaml").write_text(f"name: cloudy\n{under_test}\ncompare:\n  {compared}\n  guests: {{count: 2}}\n")
    assert main(["status"]) == 0
    assert "cloudy in toy here: made 21 h ago, to be gone by" in capsys.readouterr().out


def test_gc_lists_and_changes_nothing(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(state)
    record(state, "young", hours=3.5)
    old = state.parent / "cache/kernels/0123456789abcdef/bzImage"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"x" * 5000)
    assert main(["gc", "--days", "0"]) == 0
    out = capsys.readouterr().out
    assert "OVERDUE lab cloudy: 2 machines in toy here" in out
    assert "ok      lab young: 2 machines" in out
    assert "kernels/0123456789abcdef" in out
    assert main(["gc", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [(lab["lab"], lab["overdue"]) for lab in data["labs"]] == [("cloudy", True), ("young", False)]
    assert data["cache"] == []
    assert old.exists()


@pytest.mark.parametrize(("days", "age"), [("30", "30 days"), ("1", "1 day"), ("0.5", "0.5 days")])
def test_gc_says_older_than_what(capsys: pytest.CaptureFixture[str], days: str, age: str) -> None:
    assert main(["gc", "--days", days]) == 0
    assert f"nothing is overdue, and all cache entries were used in the last {age}" in capsys.readouterr().out


def test_gc_removes_from_the_cache_and_asks_nobody_about_that(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = state.parent / "cache/kernels/0123456789abcdef/bzImage"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"x" * 5000)
    assert main(["gc", "--delete"]) == 0
    assert old.exists()
    assert main(["gc", "--delete", "--days", "0"]) == 0
    assert not old.exists()
    assert "12 KiB removed" in capsys.readouterr().out


def test_gc_tells_of_a_lab_that_it_cannot_read(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(state)
    (state / "labs/cloudy/terraform.json").write_text("{")
    assert main(["gc"]) == 3
    assert "cannot be read" in capsys.readouterr().err


@WITH_TERRAFORM
def test_a_run_that_nobody_agrees_to_leaves_no_run_behind(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Terminal(monkeypatch, answer=None)
    assert main(["run", "--set", "suites.commands.tests={one: 'true'}"]) == 2
    assert "make       3 terraform_data: cloudy-1, cloudy-2" in capsys.readouterr().err
    Terminal(monkeypatch, answer=False)
    assert main(["run", "--set", "suites.commands.tests={one: 'true'}"]) == 2
    assert "you did not agree" in capsys.readouterr().err
    assert main(["results", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert not (state / "runs").exists()
    assert main(["resume"]) == 2


@WITH_TERRAFORM
def test_gc_destroys_overdue_machines_once_somebody_agreed(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    from kdevops.lab.load import load_lab
    from kdevops.providers.shared.lab_directory import LabDirectory
    from kdevops.providers.terraform.machines import TerraformMachines

    lab = load_lab(Path("lab.yaml")).lab
    directory = LabDirectory(state / "labs/cloudy")
    machines = TerraformMachines(lab, directory, lambda _: None, confirm=lambda _: True)
    asyncio.run(machines.start(lab.guest_names()))
    made = terraform_record.load(directory.path)
    assert made
    terraform_record.save(directory.path, made.model_copy(update={"expires": made.created - timedelta(hours=1)}))
    Terminal(monkeypatch, answer=None)
    assert main(["gc", "--delete"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert terraform_record.load(directory.path)
    assert main(["gc", "--delete", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["destroyed"] == ["cloudy"]
    assert terraform_record.load(directory.path) is None
    assert json.loads((directory.path / "terraform/terraform.tfstate").read_text())["resources"] == []
