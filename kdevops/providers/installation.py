"""Kernels that are installed in guests: all that are to have the same come at one go, for Ansible costs less so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kdevops.errors import BootError, InfrastructureError
from kdevops.guest import console as console_file
from kdevops.guest.ssh import SshTarget
from kdevops.providers.together import Together

Install = Callable[[Sequence[SshTarget], Sequence[str]], Awaitable[None]]
"""Installs the kernel in guests that are up and boots them into it with these parameters; Ansible's work."""
_TOLD = 25


@dataclass
class Installation:
    """Installs the lab's kernel in one guest after the other, as those see it that ask."""

    install: Install | None = None
    _words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _targets: dict[str, SshTarget] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._together = Together(self._all)

    async def __call__(self, target: SshTarget, words: tuple[str, ...], console: Path, offset: int) -> None:
        """Have a guest that is up run the lab's kernel with these parameters.

        Raises BootError, with what the guest's `console` said from `offset` on.
        """
        self._targets[target.name], self._words[target.name] = target, words
        try:
            await self._together(target.name)
        except InfrastructureError as error:
            raise boot_error(target.name, error, console, offset) from None

    async def _all(self, names: tuple[str, ...]) -> None:
        assert self.install
        for words in dict.fromkeys(self._words[name] for name in names):
            await self.install([self._targets[name] for name in names if self._words[name] == words], words)


def boot_error(name: str, error: InfrastructureError, console: Path, offset: int) -> BootError:
    """The error of a guest that does not come up, with the end of what its console said from `offset` on."""
    lines = [line for line in console_file.read_since(console, offset) if line.strip()]
    return BootError(
        f"guest {name}: {error.message}",
        console="\n".join(lines[-_TOLD:]),
        console_offset=offset,
        hint=error.hint,
        log=error.log or console,
    )
