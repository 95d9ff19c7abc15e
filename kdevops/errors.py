"""The two roots of every error a person may see, and the exit codes of the command line.

`UserError` is for what the user can mend by changing what they gave us; `InfrastructureError` is for what the machine,
the network or a tool did. Test results are neither: they are data, in `kdevops.results`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any


class ExitCode(IntEnum):
    """What the process answers: the contract of the command line with scripts and CI."""

    OK = 0
    REGRESSION = 1
    USER = 2
    INFRASTRUCTURE = 3
    INCOMPLETE = 4


class KdevopsError(Exception):
    """An error that speaks to a person: what was found, what to change, and where the log is.

    `data` is what `--json` gives beside it, in the same document.
    """

    exit_code = ExitCode.INFRASTRUCTURE

    def __init__(self, message: str, *, hint: str | None = None, log: Path | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.log = log
        self.data: dict[str, Any] = {}


class UserError(KdevopsError):
    """Something in the lab file, the command line or the kernel tree that the user can mend."""

    exit_code = ExitCode.USER


class InfrastructureError(KdevopsError):
    """The machine, the network or a tool failed: says nothing about the kernel under test."""


class CommandError(InfrastructureError):
    """A command ended badly. `returncode` is negative for a signal, None when it never started or ran out of time."""

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
    """A guest did not come up. `console` is the end of what it printed.

    All of it stands in `recorded` from `console_offset` on; `log` may be another's, Ansible's for one. `unanswered`: the
    machine was given the kernel and all the time to boot it, or ended by itself, and nothing in it ever answered.
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
    """A playbook failed. `hosts` are the errors of those that it failed on; none are known where it ran on nobody."""

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
    """The way to a guest broke on our side: says nothing about the guest."""
