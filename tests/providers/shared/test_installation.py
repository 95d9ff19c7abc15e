"""Kernels that are installed in several guests at one go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from kdevops.errors import BootError, InfrastructureError, PlayError
from kdevops.guest.ssh import SshTarget
from kdevops.providers.shared.installation import Installation


class Ansible:
    """Fails on the hosts of `bad`; where these are none's names, without saying on which."""

    def __init__(self, *bad: str) -> None:
        self.bad = bad
        self.plays: list[tuple[tuple[str, ...], tuple[str, ...]]] = []

    async def install(self, targets: Sequence[SshTarget], words: Sequence[str]) -> None:
        names = tuple(sorted(target.name for target in targets))
        self.plays.append((names, tuple(words)))
        hosts = {name: InfrastructureError(f"no room on {name}") for name in names if name in self.bad}
        if hosts or "all" in self.bad:
            raise PlayError("it failed", hosts=hosts, log=Path("/play.log"))


def install(ansible: Ansible, directory: Path, guests: Mapping[str, tuple[str, ...]]) -> dict[str, BootError | None]:
    installation = Installation(ansible.install)

    async def one(name: str) -> None:
        target = SshTarget(name, "127.0.0.1", 22, "root", None, directory / "known_hosts", directory / "control")
        console = directory / name
        console.write_text("of before\n")
        await installation(target, guests[name], console)

    async def main() -> list[BaseException | None]:
        return list(await asyncio.gather(*map(one, guests), return_exceptions=True))

    found: dict[str, BootError | None] = {}
    for name, error in zip(guests, asyncio.run(main()), strict=True):
        assert error is None or isinstance(error, BootError)
        found[name] = error
    return found


def test_those_with_the_same_parameters_come_at_one_go(tmp_path: Path) -> None:
    ansible = Ansible()
    found = install(ansible, tmp_path, {"a": ("x",), "b": ("y",), "c": ("x",)})
    assert found == {"a": None, "b": None, "c": None}
    assert ansible.plays == [(("a", "c"), ("x",)), (("b",), ("y",))]


def test_one_that_fails_is_no_other_ones_failure(tmp_path: Path) -> None:
    """The others are looked at once more without it: a play that fails may have ended early for them."""
    ansible = Ansible("b")
    found = install(ansible, tmp_path, {"a": (), "b": (), "c": (), "d": ("other",)})
    assert (found["a"], found["c"], found["d"]) == (None, None, None)
    assert "guest b: no room on b" in str(found["b"])
    assert [names for names, _ in ansible.plays] == [("a", "b", "c"), ("a", "c"), ("d",)]


def test_a_play_that_fails_on_nobody_fails_for_all(tmp_path: Path) -> None:
    ansible = Ansible("all")
    found = install(ansible, tmp_path, {"a": (), "b": ()})
    assert [str(error) for error in found.values()] == ["guest a: it failed", "guest b: it failed"]
    assert len(ansible.plays) == 1


def test_the_error_tells_where_the_console_of_this_boot_is_and_the_log_of_the_play(tmp_path: Path) -> None:
    error = install(Ansible("all"), tmp_path, {"a": ()})["a"]
    assert error
    assert error.log == Path("/play.log")
    assert (error.recorded, error.console_offset) == (tmp_path / "a", len("of before\n"))
