"""Sources of machines with their own operating system: a cloud, or existing hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from kdevops.providers.address import Address


class Machines(Protocol):
    """Creates the machines of one lab, or knows where they are."""

    @property
    def why(self) -> str:
        """Where they are, in a few words for the user: "3 machines that exist", "aws, eu-central-1"."""

    async def preflight(self, names: tuple[str, ...]) -> None:
        """Before long work for these machines: ask for confirmation where needed, and create nothing.

        Raises KdevopsError for machines that are known to be unavailable.
        """

    async def start(self, names: tuple[str, ...]) -> Mapping[str, Address]:
        """Make these machines exist. Raises KdevopsError for what is unavailable.

        Of several machines, an unavailable one may be omitted; a call for it alone raises the reason.
        """

    async def stop(self, names: tuple[str, ...] = ()) -> None:
        """Give machines back, by default all of the lab, including leftovers of an interrupted `start`."""

    async def states(self) -> Mapping[str, str]:
        """The existing machines by name: "running", or another known state."""

    def known(self) -> Mapping[str, Address]:
        """The machines as last seen, without a query."""

    def command_lines(self) -> Mapping[str, list[str]]:
        """How each was created, for the record of a run."""
