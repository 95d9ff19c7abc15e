"""Where machines with an operating system of their own come from: a cloud, or somebody's rack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from kdevops.providers.address import Address


class Machines(Protocol):
    """Makes the machines of one lab, or knows where they are."""

    @property
    def why(self) -> str:
        """In a few words where they are, for the user: "3 machines that exist", "aws, eu-central-1"."""

    async def preflight(self, names: tuple[str, ...]) -> None:
        """Before long work is done for these machines: ask what has to be agreed to, and make nothing.

        Raises KdevopsError for what is known already not to be had.
        """

    async def start(self, names: tuple[str, ...]) -> Mapping[str, Address]:
        """Have these machines exist. Raises KdevopsError for what cannot be had.

        Of several, one that cannot be had may be left out; whoever is asked for it alone says why.
        """

    async def stop(self, names: tuple[str, ...] = ()) -> None:
        """Give machines back, all of the lab without names, also what an interrupted `start` left."""

    async def states(self) -> Mapping[str, str]:
        """Which machines there are, by name: "running", or what else is known of them."""

    def known(self) -> Mapping[str, Address]:
        """The machines as they were last seen, without asking anybody."""

    def command_lines(self) -> Mapping[str, list[str]]:
        """How each was made, for the record of a run."""
