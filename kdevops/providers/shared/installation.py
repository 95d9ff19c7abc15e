"""Installs a kernel in guests. Requests for the same kernel are batched into one Ansible run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kdevops.errors import BootError, InfrastructureError, PlayError
from kdevops.guest import console as console_file
from kdevops.guest.ssh import SshTarget
from kdevops.providers.shared.batch import Batcher

Install = Callable[[Sequence[SshTarget], Sequence[str]], Awaitable[None]]
"""Installs the kernel in running guests and boots it with these parameters, with Ansible."""
_TOLD = 25


@dataclass
class Installation:
    """Installs the lab's kernel. Callers see one guest each; the work is batched."""

    install: Install | None = None
    _words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _targets: dict[str, SshTarget] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._batcher = Batcher(self._all)

    async def __call__(self, target: SshTarget, words: tuple[str, ...], console: Path) -> None:
        """Install the lab's kernel in a running guest and boot it with these parameters.

        Raises BootError, with the output of the guest's `console` in the meantime.
        """
        offset = console_file.end_of(console)
        self._targets[target.name], self._words[target.name] = target, words
        try:
            await self._batcher(target.name)
        except InfrastructureError as error:
            raise boot_error(target.name, error, console, offset) from None

    async def _all(self, names: tuple[str, ...]) -> Mapping[str, Exception]:
        failed: dict[str, Exception] = {}
        for words in dict.fromkeys(self._words[name] for name in names):
            failed |= await self._some([name for name in names if self._words[name] == words], words)
        return failed

    async def _some(self, names: Sequence[str], words: Sequence[str]) -> dict[str, Exception]:
        """Install it in these guests. After failures the play is repeated without the failed guests."""
        assert self.install
        failed: dict[str, Exception] = {}
        while left := [name for name in names if name not in failed]:
            try:
                await self.install([self._targets[name] for name in left], words)
            except InfrastructureError as error:
                told = error.hosts if isinstance(error, PlayError) else {}
                failed |= {name: told.get(name, error) for name in left if name in told or not told.keys() & set(left)}
            else:
                break
        return failed


def boot_error(name: str, error: InfrastructureError, console: Path, offset: int) -> BootError:
    """The error for a guest that does not come up, with the end of its console output from `offset` on."""
    lines = [line for line in console_file.read_since(console, offset) if line.strip()]
    return BootError(
        f"guest {name}: {error.message}",
        console="\n".join(lines[-_TOLD:]),
        console_offset=offset,
        hint=error.hint,
        log=error.log or console,
        recorded=console,
    )
