"""The base classes of all errors shown to users, and the exit codes of the command line.

`UserError` is for mistakes in the user's input; `InfrastructureError` is for failures of the machine, the network or a
tool. Test results are neither: they are data, in `kdevops.results`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any


class ExitCode(IntEnum):
    """Exit codes of the process: a contract with scripts and CI."""

    OK = 0
    REGRESSION = 1
    USER = 2
    INFRASTRUCTURE = 3
    INCOMPLETE = 4


class KdevopsError(Exception):
    """An error for a person: what was found, what to change, and where the log is.

    `data` is printed together with the error by `--json`.
    """

    exit_code = ExitCode.INFRASTRUCTURE

    def __init__(self, message: str, *, hint: str | None = None, log: Path | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.log = log
        self.data: dict[str, Any] = {}


class UserError(KdevopsError):
    """A mistake in the lab file, the command line or the kernel tree that the user can fix."""

    exit_code = ExitCode.USER


class InfrastructureError(KdevopsError):
    """The machine, the network or a tool failed; this says nothing about the kernel under test."""


class CommandError(InfrastructureError):
    """A command failed. `returncode` is negative for a signal, None if it never started or timed out."""

    def __init__(
        self,
        message: str,
        *,
        argv: tuple[str, ...],
        returncode: int | None,
        output: str = "",
        hint: str | None = None,
        log: Path | None = None,
    ) -> None:
        super().__init__(message, hint=hint, log=log)
        self.argv = argv
        self.returncode = returncode
        self.output = output


class CommandTimeout(CommandError):  # noqa: N818 - a kind of CommandError, named for what happened
    """A command ran out of time and was stopped: after `seconds`, those that count against its deadline."""

    def __init__(
        self,
        message: str,
        *,
        argv: tuple[str, ...],
        seconds: float,
        output: str = "",
        hint: str | None = None,
        log: Path | None = None,
    ) -> None:
        super().__init__(message, argv=argv, returncode=None, output=output, hint=hint, log=log)
        self.seconds = seconds


class BootError(InfrastructureError):
    """A guest did not boot. `console` is the end of its console output.

    The whole output is in `recorded`, from `console_offset` on; `log` may be another file, such as Ansible's log.
    `unanswered`: the machine got the kernel and the full time to boot it, or exited, and never answered.
    """

    def __init__(
        self,
        message: str,
        *,
        console: str = "",
        console_offset: int = 0,
        recorded: Path | None = None,
        unanswered: bool = False,
        hint: str | None = None,
        log: Path | None = None,
    ) -> None:
        super().__init__(message, hint=hint, log=log or recorded)
        self.unanswered = unanswered
        self.console = console
        self.console_offset = console_offset
        self.recorded = recorded


class PlayError(InfrastructureError):
    """A playbook failed. `hosts` has the error of each failed host; empty if it ran on none."""

    def __init__(
        self,
        message: str,
        *,
        hosts: Mapping[str, InfrastructureError] | None = None,
        hint: str | None = None,
        log: Path | None = None,
    ) -> None:
        super().__init__(message, hint=hint, log=log)
        self.hosts = hosts or {}


class LostGuestError(InfrastructureError):
    """A guest that was up stopped answering."""


class BrokenSshError(LostGuestError):
    """ssh to a guest failed on our side; this says nothing about the guest."""
