"""The addresses of the machines in a record, and their states in the cloud."""

from __future__ import annotations

import asyncio

from kdevops.errors import CommandError
from kdevops.process import run
from kdevops.providers.address import Address, is_absent, is_running
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.providers.terraform.record import PlaceRecord, Record
from kdevops.text import clean

_QUESTION = 60.0
"""Seconds for a cloud to report the state of one machine."""


async def states_of(record: Record) -> dict[str, str]:
    """The state of each machine in the cloud: "running", or another word; "begun" if its creation was interrupted.

    "unknown" if the cloud, or its command line tool, does not answer.
    """

    async def ask(name: str) -> str:
        place = record.places.get(name)
        if not place:
            return "begun"
        return await _state(place)

    states = await asyncio.gather(*(ask(name) for name in record.nodes))
    return dict(zip(record.nodes, states, strict=True))


async def lost_sight_of(record: Record) -> list[str]:
    """Machines that run according to their cloud, "x-1 (i-0123)" each; called if Terraform knows of none."""
    asked = {name: place for name, place in record.places.items() if place.state}
    states = await asyncio.gather(*map(_state, asked.values()))
    running = [name for name, state in zip(asked, states, strict=True) if state == "running"]
    return [f"{name} ({asked[name].identity})" for name in running]


async def _state(place: PlaceRecord) -> str:
    if not place.state:
        return "running"
    try:
        done = await run(place.state, timeout=_QUESTION, check=False)
    except CommandError:
        return "unknown"
    if done.returncode != 0:
        return "gone" if is_absent(done.stderr) else "unknown"
    state = clean(done.stdout[:200]).strip().lower()[:40]
    return "running" if is_running(state) else state or "gone"


def places_of(record: Record | None, directory: LabDirectory) -> dict[str, Address]:
    """The machines in a record."""
    found = record.places if record else {}
    return {
        name: Address(
            host=place.host,
            port=place.port,
            key=directory.key,
            identity=place.identity,
            disks=place.disks,
            reset=place.reset,
            state=place.state,
            console=place.console,
        )
        for name, place in found.items()
    }
