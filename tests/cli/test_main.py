import errno
import json
import logging
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

import kdevops
from kdevops.__main__ import main
from kdevops.cli.options import Context, common_options, guest_argument, json_option, lab_verb, pass_context
from kdevops.cli.root import COMMANDS
from kdevops.errors import ExitCode, InfrastructureError, UserError
from kdevops.paths import state_dir


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module in which a test puts `it`, the verb that `kdevops it` calls."""
    module = ModuleType("verb_of_a_test")
    monkeypatch.setitem(sys.modules, "verb_of_a_test", module)
    monkeypatch.setitem(COMMANDS, "it", ("verb_of_a_test:it", "what a test needs"))
    yield module
    logger = logging.getLogger("kdevops")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


def raising(error: BaseException) -> click.Command:
    @click.command()
    @json_option
    @common_options
    @pass_context
    def it(context: Context) -> None:
        raise error

    return it


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kdevops {kdevops.__version__}\n"


def test_nothing_heavy_is_imported_for_the_version_and_the_help() -> None:
    heavy = ["asyncio", "pydantic", "yaml", "rich", "sqlite3", "ansible_runner"]
    script = (
        "import sys; from kdevops.__main__ import main; "
        f"main([sys.argv[1]]); print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    for option in ("--version", "--help"):
        done = subprocess.run([sys.executable, "-c", script, option], capture_output=True, text=True, check=True)
        assert done.stderr == "[]\n"


def test_every_verb_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"  {name} " in told for name in COMMANDS)


@pytest.mark.parametrize("code", [ExitCode.OK, ExitCode.REGRESSION, ExitCode.INCOMPLETE, None])
def test_what_a_verb_returns_is_the_exit_code(verb: ModuleType, code: ExitCode | None) -> None:
    verb.it = click.Command("it", callback=lambda: code)
    assert main(["it"]) == (code or 0)


def test_an_error_is_prose(verb: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    verb.it = raising(InfrastructureError("QEMU said \x1b[31mno", hint="try this", log=Path("/var/log/x")))
    assert main(["it"]) == 3
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "QEMU said no\nhint: try this\nlog: /var/log/x\n")


def test_an_error_is_json_too(verb: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    verb.it = raising(UserError("what", hint="do"))
    assert main(["it", "--json"]) == 2
    told = capsys.readouterr()
    assert json.loads(told.out) == {"error": {"message": "what", "hint": "do", "log": None, "exit_code": 2}}
    assert told.err == "what\nhint: do\n"


def test_what_there_is_beside_an_error_stands_in_the_same_json(
    verb: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    error = InfrastructureError("no guest came up")
    error.data = {"run": 7}
    verb.it = raising(error)
    assert main(["it", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["run"], told["error"]["message"]) == (7, "no guest came up")


def test_a_group_of_known_errors_speaks_by_its_first(verb: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    verb.it = raising(ExceptionGroup("", [ExceptionGroup("", [UserError("first")]), InfrastructureError("second")]))
    assert main(["it"]) == 2
    assert capsys.readouterr().err == "first\n"


def test_what_the_machine_does_to_one_of_several_tasks_is_no_bug(
    verb: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    verb.it = raising(ExceptionGroup("", [PermissionError(errno.EACCES, "Permission denied", "/root/secret")]))
    assert main(["it"]) == 3
    assert capsys.readouterr().err == "Permission denied: /root/secret\n"


@pytest.mark.parametrize("error", [ZeroDivisionError("oh"), ExceptionGroup("", [UserError("x"), KeyError("y")])])
def test_a_bug_is_told_without_a_traceback(
    verb: ModuleType, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    verb.it = raising(error)
    assert main(["it"]) == 3
    told = capsys.readouterr().err
    [report] = (state_dir() / "crashes").iterdir()
    assert f"log: {report}" in told
    assert "Traceback" not in told
    assert "Traceback" in report.read_text()
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_a_bug_is_told_even_when_nothing_can_be_written(
    verb: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", "/proc/nowhere")
    verb.it = raising(ZeroDivisionError("oh"))
    assert main(["it"]) == 3
    assert "this is a bug in kdevops: ZeroDivisionError: oh" in capsys.readouterr().err


def test_a_full_disk_is_no_bug(verb: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    verb.it = raising(OSError(errno.ENOSPC, "No space left on device", "/x"))
    assert main(["it"]) == 3
    assert capsys.readouterr().err == "No space left on device: /x\n"


def test_an_interrupt_is_one_line(verb: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    verb.it = raising(KeyboardInterrupt())
    assert main(["it"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_reader_that_goes_away_is_no_trouble() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "kdevops", "lab", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, b"")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["rnu"], "no such command: rnu; did you mean run?"),
        (["lab", "shwo"], "No such command 'shwo'"),
        (["lab", "init", "--tmplate", "x"], "--template"),
    ],
)
def test_a_wrong_command_line_is_the_users(capsys: pytest.CaptureFixture[str], argv: list[str], said: str) -> None:
    assert main([*argv, "--json"]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert "--help" in told.err
    assert json.loads(told.out)["error"]["exit_code"] == 2


def test_the_lab_of_a_command_line(
    verb: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    @lab_verb
    def it(context: Context) -> None:
        lab = context.lab().lab
        context.emit({"name": lab.name, "count": lab.guests.count}, [f"{lab.name} {lab.guests.count}"])

    verb.it = it
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KDEVOPS_LAB", raising=False)
    assert main(["it"]) == 2
    assert "kdevops lab init" in capsys.readouterr().err
    for file, name in (("lab.yaml", "here"), ("other.yaml", "other"), ("env.yaml", "env")):
        Path(file).write_text(f"name: {name}\n")
    assert main(["it"]) == 0
    assert main(["it", "other.yaml", "--set", "guests.count=2", "--set", "guests.cpus=1", "--json"]) == 0
    monkeypatch.setenv("KDEVOPS_LAB", "env.yaml")
    assert main(["it"]) == 0
    assert main(["it", "other.yaml"]) == 0
    assert capsys.readouterr().out == 'here 1\n{\n  "name": "other",\n  "count": 2\n}\nenv 1\nother 1\n'


def test_a_guests_command_keeps_its_own_options(verb: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    @click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
    @common_options
    @guest_argument
    @click.argument("command", nargs=-1)
    def it(guest: str, command: tuple[str, ...]) -> None:
        click.echo(f"{guest}: {command}")

    verb.it = it
    assert main(["it", "demo-1", "ls", "-v", "--json"]) == 0
    assert capsys.readouterr().out == "demo-1: ('ls', '-v', '--json')\n"


@pytest.mark.parametrize("before", [True, False])
def test_state_and_verbose_are_taken_before_the_verb_and_after(
    verb: ModuleType, tmp_path: Path, before: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    @click.command()
    @common_options
    def it() -> None:
        logger = logging.getLogger("kdevops.process")
        logger.info("what is done")
        seen.append((state_dir(), logger.isEnabledFor(logging.DEBUG)))

    verb.it = it
    another = logging.StreamHandler()  # a library's, of the root logger
    monkeypatch.setattr(logging.getLogger(), "handlers", [another])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDEVOPS_STATE", "/elsewhere")  # and so restored after the test
    options = ["--state", "st", "-v"]
    assert main([*options, "it"] if before else ["it", *options]) == 0
    assert seen == [(tmp_path / "st", True)]
    assert capsys.readouterr().err.count("what is done") == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert main(["completion", shell]) == 0
    assert "_KDEVOPS_COMPLETE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("kdevops ", set(COMMANDS)),
        ("kdevops lab init --template ", {"demo", "patch"}),
        ("kdevops lab in", {"init"}),
    ],
)
def test_completion(words: str, expected: set[str], capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("_KDEVOPS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    assert main([]) == 0
    assert expected <= {line.partition(",")[2] for line in capsys.readouterr().out.splitlines()}


def test_guests_complete(verb: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    verb.it = click.command()(guest_argument(lambda guest: None))
    config = state_dir() / "labs/demo/ssh_config"
    config.parent.mkdir(parents=True)
    config.write_text("Host demo-1\n  Port 1\nHost demo-2\n")
    monkeypatch.setenv("_KDEVOPS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "kdevops it d")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert main([]) == 0
    assert capsys.readouterr().out == "plain,demo-1\nplain,demo-2\n"


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors_are_no_bug_and_nothing_else_takes_their_place(closed: str, tmp_path: Path) -> None:
    command = f"exec {sys.executable} -m kdevops --state {tmp_path} results {closed}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "crashes").exists()
    assert b"no run yet" not in (tmp_path / "kdevops.sqlite").read_bytes()


def test_an_empty_home_is_none(tmp_path: Path) -> None:
    """As shells have it: the password database says where home is then, and nothing is written below /."""
    code = "import sys; from kdevops.__main__ import main; main(['--version']); from pathlib import Path; print(Path.home())"
    env = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    for home in ("", "relative"):
        done = subprocess.run(
            [sys.executable, "-c", code], env={**env, "HOME": home}, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == pwd.getpwuid(os.getuid()).pw_dir
