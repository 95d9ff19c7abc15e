"""Machines that come up by one `vagrant up`: what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from kdevops.errors import InfrastructureError
from kdevops.providers.vagrant.group import Group
from kdevops.providers.vagrant.tool import Address, VagrantTool


class Vagrant:
    """Brings up all but `bad`, and says so for all of them at once, as Vagrant does."""

    log = Path("/vagrant.log")
    backend = "libvirt"

    def __init__(self, *bad: str, unknown: Sequence[str] = ()) -> None:
        self.bad, self.unknown = bad, unknown

    async def up(self, names: Sequence[str], *, timeout: float) -> None:
        if set(names) & set(self.bad):
            raise InfrastructureError("a machine got no address")

    async def states(self) -> dict[str, str]:
        return {name: "shutoff" if name in self.bad else "running" for name in ("lab-1", "lab-2", "lab-3")}

    async def addresses(self, names: Sequence[str]) -> dict[str, Address]:
        return {name: Address("192.0.2.1", 22) for name in names if name not in self.unknown}

    async def destroy(self, names: Sequence[str]) -> None:
        raise AssertionError(names)


def start(vagrant: Vagrant, *names: str) -> list[str]:
    group = Group(cast("VagrantTool", vagrant), 1.0)

    async def main() -> list[object]:
        return list(await asyncio.gather(*map(group.start, names), return_exceptions=True))

    return [each.host if isinstance(each, Address) else str(each) for each in asyncio.run(main())]


def test_all_come() -> None:
    assert start(Vagrant(), "lab-1", "lab-2") == ["192.0.2.1"] * 2


def test_one_that_does_not_come_up_is_no_reason_to_make_the_others_anew() -> None:
    found = start(Vagrant("lab-2"), "lab-1", "lab-2", "lab-3")
    assert found == ["192.0.2.1", "a machine got no address", "192.0.2.1"]
    assert start(Vagrant("lab-2"), "lab-2") == ["a machine got no address"]


def test_one_of_which_nobody_knows_where_it_is_is_that_ones_failure() -> None:
    found = start(Vagrant(unknown=["lab-1"]), "lab-1", "lab-2")
    assert found == ["vagrant does not report its ssh address", "192.0.2.1"]


def test_machines_that_come_one_after_the_other_get_time_for_each() -> None:
    vagrant = Vagrant()
    group = Group(cast("VagrantTool", vagrant), 60.0)
    beside = group.deadline(10)
    vagrant.backend = "virtualbox"
    assert beside < group.deadline(10) == 10 * group.deadline(1)
