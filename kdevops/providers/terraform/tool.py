"""Terraform for the program: python-terraform's commands and parsers, with subprocesses run by our own code."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kdevops.errors import CommandError, CommandTimeout, InfrastructureError, UserError
from kdevops.process import MAX_LOG, Completed, run
from kdevops.providers.shared.run_in_thread import RunCommand, run_in_thread
from kdevops.providers.terraform.diagnostics import read_line
from kdevops.providers.terraform.errors import translate

if TYPE_CHECKING:
    from python_terraform import Terraform

T = TypeVar("T")
SHORT = 300.0
"""Seconds for a command that asks no cloud."""
_INIT = 1800.0
_PLAN = 900.0
_APPLY = 5400.0
GRACE = 90.0
"""Seconds for an interrupted command to finish what it began in the cloud and to save the state."""
_LOCK_TIMEOUT = "100s"
"""How long a command waits for the state lock: longer than GRACE, because an earlier command may be ending."""
_TELL = frozenset({"plan", "apply", "destroy"})
"""Commands that with -json print a line per action; the others print one value."""
_ARGUMENTS = re.compile(r"^TF_CLI_ARGS(?!_init$)")
_MAX_JSON = 64 << 20
"""Bytes of a plan or of outputs as JSON; a machine takes about 10 KiB of a plan."""
_MINIMUM = {"Terraform": (1, 5), "OpenTofu": (1, 6)}
_VERSION = re.compile(r"^(Terraform|OpenTofu) v(\d+)\.(\d+)(\.\S+)?", re.MULTILINE)


def find_tool(wanted: str | None) -> Path:
    """The program to use: the lab's, else $KDEVOPS_TERRAFORM, else terraform or tofu in PATH. Raises UserError."""
    named = wanted or os.environ.get("KDEVOPS_TERRAFORM")
    for name in [named] if named else ["terraform", "tofu"]:
        if found := shutil.which(os.path.expanduser(name)):  # noqa: PTH111 - it may be a name without a path
            return Path(found).absolute()
    if named:
        where = "provider.tool" if wanted else "KDEVOPS_TERRAFORM"
        raise UserError(f"{where} names {named}, but there is no such program", hint="remove or correct it")
    raise UserError(
        "neither terraform nor tofu is installed",
        hint="install one, from developer.hashicorp.com/terraform/install or opentofu.org/docs/intro/install; "
        "provider.tool or KDEVOPS_TERRAFORM names one that is not in PATH",
    )


@dataclass(frozen=True)
class TerraformTool:
    """The configuration in `root`. All output of the tool is appended to `log`; `on_line` receives it line by line.

    Every method raises UserError or InfrastructureError, in our words, if the tool fails. `plugins` is the provider
    cache for all labs, unless the user's own configuration sets another one.
    """

    binary: Path
    root: Path
    log: Path
    plugins: Path
    on_line: Callable[[str], None] | None = None

    async def check_version(self) -> str:
        """The tool's name and version. Raises UserError if it is too old for our modules."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = await self._call("version", lambda it: it.cmd("version"), SHORT)
        found = _VERSION.search(done[1])
        if not found:
            raise UserError(
                f"{self.binary} does not say that it is Terraform or OpenTofu", hint="correct provider.tool"
            )
        product, version = found[1], (int(found[2]), int(found[3]))
        least = _MINIMUM[product]
        if version < least:
            raise UserError(
                f"{product} {version[0]}.{version[1]} is too old, at least {least[0]}.{least[1]} is needed ({self.binary})",
                hint="install a newer one, or name another in provider.tool",
            )
        return f"{product} {found[2]}.{found[3]}{found[4] or ''}"

    async def init(self) -> None:
        """Install the providers and set up the backend. Providers in the plugin cache are not downloaded again."""
        self.plugins.mkdir(parents=True, exist_ok=True)
        await self._call("init", lambda it: it.cmd("init", **_flags(), input=False), _INIT)

    async def plan(self, out: Path, *, destroy: bool = False) -> bool:
        """Plan and write the plan to `out`; returns whether there are changes."""
        options = {
            **_flags(),
            "input": False,
            "detailed_exitcode": _flag(),
            "out": str(out),
            "lock_timeout": _LOCK_TIMEOUT,
            **_machine_readable(),
        }
        if destroy:
            options["destroy"] = _flag()
        done = await self._call("plan", lambda it: it.cmd("plan", **options), _PLAN, fine=(0, 2))
        return bool(done[0] == 2)

    async def show(self, plan: Path) -> dict[str, Any]:
        """A plan as JSON (developer.hashicorp.com/terraform/internals/json-format)."""
        done = await self._call("show", lambda it: it.cmd("show", str(plan), json=_flag(), no_color=_flag()), SHORT)
        return _object(done[1], "show")

    async def apply(self, plan: Path) -> None:
        """Apply exactly this plan."""
        options = {**_flags(), "input": False, "lock_timeout": _LOCK_TIMEOUT, **_machine_readable()}
        await self._call("apply", lambda it: it.cmd("apply", str(plan), **options), _APPLY)

    async def destroy(self) -> None:
        """Destroy everything in the state."""
        options = {
            **_flags(), "input": False, "auto_approve": _flag(), "lock_timeout": _LOCK_TIMEOUT, **_machine_readable(),
        }  # fmt: skip
        await self._call("destroy", lambda it: it.cmd("destroy", **options), _APPLY)

    async def outputs(self) -> dict[str, Any]:
        """The values of all outputs, by name."""
        found = await self._call("output", lambda it: it.output(no_color=_flag()), SHORT)
        if not isinstance(found, dict):
            raise InfrastructureError("terraform output did not print an object", log=self.log)
        return {name: each.get("value") for name, each in found.items() if isinstance(each, dict)}

    async def resources(self) -> list[str]:
        """The addresses of all resources in the state, without data sources."""
        done = await self._call("state list", lambda it: it.cmd("state list"), SHORT, fine=(0, 1))
        if done[0] == 1 and "No state file was found" not in done[1] + done[2]:
            raise translate(done[1] + done[2], command=f"{self.binary.name} state list", log=self.log)
        lines = [line.strip() for line in done[1].splitlines()] if done[0] == 0 else []
        return [line for line in lines if line and not re.search(r"(?:^|\.)data\.", line)]

    async def push_errored(self) -> None:
        """Upload a state that could not be saved earlier."""
        errored = self.root / "errored.tfstate"
        if errored.exists():
            await self._call("state push", lambda it: it.cmd("state push", str(errored)), SHORT)
            errored.replace(errored.with_suffix(".pushed"))

    async def _call(
        self, command: str, work: Callable[[Terraform], T], timeout: float, *, fine: tuple[int, ...] = (0,)
    ) -> T:
        """Let python-terraform do `work` in a thread, with its subprocesses run by this event loop."""
        name = f"{self.binary.name} {command}"
        try:
            return await run_in_thread(
                lambda run_command: work(_through(self, run_command)), lambda argv: self._run(argv, timeout, fine)
            )
        except ValueError as error:
            raise InfrastructureError(f"{name} printed unexpected output: {error}", log=self.log) from None
        except CommandTimeout:
            raise InfrastructureError(
                f"{name} did not finish within {timeout:.0f} s", hint=f"see {self.log}", log=self.log
            ) from None
        except CommandError as error:
            raise translate(error.output or error.message, command=name, log=self.log) from None

    async def _run(self, argv: Sequence[str], timeout: float, fine: tuple[int, ...]) -> Completed:
        if "-json" in argv and argv[1] not in _TELL:
            done = await self._answer(argv, timeout)
            output = done.stderr
        else:
            done, output = await self._tell(argv, timeout)
        if done.returncode not in fine:
            raise CommandError("terraform failed", argv=tuple(argv), returncode=done.returncode, output=output)
        return done

    async def _answer(self, argv: Sequence[str], timeout: float) -> Completed:
        """Run a command that prints one JSON value. It may contain secrets, so it is not logged."""
        printed = bytearray()

        def collect(chunk: bytes) -> None:
            printed.extend(chunk)
            if len(printed) > _MAX_JSON:
                raise InfrastructureError(f"{' '.join(argv[:2])} printed more than {_MAX_JSON >> 20} MiB", log=self.log)

        done = await self._start(argv, timeout, on_bytes=collect)
        return Completed(done.argv, done.returncode, printed.decode(errors="replace"), done.stderr, done.seconds)

    async def _tell(self, argv: Sequence[str], timeout: float) -> tuple[Completed, str]:
        """Run a command that reports its actions; also returns the end of its output. The log has text for people."""
        said: list[str] = []
        with _log_of(self.log, argv) as write:

            def listen(line: str) -> None:
                said.append(line)
                del said[:-2000]
                for each in read_line(line)[0]:
                    write(each)
                    if self.on_line:
                        self.on_line(each)

            done = await self._start(argv, timeout, on_line=listen)
        return done, "\n".join(said)

    async def _start(
        self,
        argv: Sequence[str],
        timeout: float,
        *,
        on_line: Callable[[str], None] | None = None,
        on_bytes: Callable[[bytes], None] | None = None,
    ) -> Completed:
        unset = [word for each in _foreign(os.environ) for word in ("-u", each)]
        return await run(
            ["env", *unset, *argv] if unset else argv,
            cwd=self.root,
            env=self._environment(),
            timeout=timeout,
            check=False,
            on_line=on_line,
            on_bytes=on_bytes,
            interrupt_grace=GRACE,
        )

    def _environment(self) -> dict[str, str]:
        own = {
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
            # The user's may be one for all directories, and then labs would share their backends.
            "TF_DATA_DIR": str(self.root / ".terraform"),
            "LC_ALL": "C.UTF-8",
        }
        if not os.environ.get("TF_PLUGIN_CACHE_DIR") and not _configures_plugin_cache():
            own["TF_PLUGIN_CACHE_DIR"] = str(self.plugins)
        return own


@contextlib.contextmanager
def _log_of(path: Path, argv: Sequence[str]) -> Iterator[Callable[[str], None]]:
    """Append to a log, up to MAX_LOG characters per command; the log can be read while the command runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    room = MAX_LOG
    with path.open("a", encoding="utf-8", errors="replace", buffering=1) as file:

        def write(line: str) -> None:
            nonlocal room
            if room > 0:
                room -= len(line) + 1
                file.write(f"{line}\n" if room > 0 else "[the log is cut here]\n")

        file.write(f"$ {shlex.join(argv)}\n")
        yield write


def _object(text: str, command: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InfrastructureError(f"terraform {command} did not print JSON: {error}") from None
    if not isinstance(found, dict):
        raise InfrastructureError(f"terraform {command} did not print an object")
    return found


def _foreign(environment: os._Environ[str] | dict[str, str]) -> list[str]:
    """Variables in a user's environment that would make the tool use another state, or other arguments than ours."""
    return [name for name in environment if name == "TF_WORKSPACE" or _ARGUMENTS.match(name)]


def _configures_plugin_cache() -> bool:
    """Whether the user's CLI configuration sets a provider cache, which the environment would override."""
    named = os.environ.get("TF_CLI_CONFIG_FILE") or os.environ.get("TERRAFORM_CONFIG")
    home = Path.home()
    files = (
        [Path(named)] if named else [home / ".terraformrc", home / ".tofurc", *(home / ".terraform.d").glob("*.tfrc")]
    )
    return any(re.search(r"^\s*plugin_cache_dir\s*=", _text(path), re.MULTILINE) for path in files)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[: 1 << 20]
    except OSError:
        return ""


def _flag() -> Any:
    from python_terraform import IsFlagged

    return IsFlagged


def _flags() -> dict[str, Any]:
    return {"no_color": _flag()}


def _machine_readable() -> dict[str, Any]:
    """For complete diagnostics; they come as lines, and are not the command's result."""
    return {"json": _flag()}


def _through(tool: TerraformTool, run_command: RunCommand) -> Terraform:
    from python_terraform import Terraform

    class Through(Terraform):
        """Replaces python-terraform's subprocesses, which have no deadline, and its reading of an old state file."""

        def cmd(self, cmd: str, *args: str, **kwargs: Any) -> tuple[int, str, str]:
            done = run_command(self.generate_cmd_string(cmd, *args, **kwargs))
            return done.returncode, done.stdout, done.stderr

        def read_state_file(self, file_path: str | None = None) -> None:
            """The state is not ours to read."""

    return Through(working_dir=str(tool.root), terraform_bin_path=str(tool.binary))
