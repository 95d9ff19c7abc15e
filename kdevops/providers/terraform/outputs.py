"""A module's outputs about the machines, checked against the contract in terraform/README.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kdevops.errors import InfrastructureError, KdevopsError, UserError
from kdevops.lab.hosts import MAX_PORT, Address, DevicePath
from kdevops.providers.terraform.record import PlaceRecord
from kdevops.text import clean

_MOST_WORDS = 64
_MOST_DISKS = 64
_Word = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]
_Argv = Annotated[tuple[_Word, ...], Field(max_length=_MOST_WORDS)]
_Short = Annotated[str, Field(max_length=500)]


class _Outputs(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    controller_ip_map: dict[str, Address]
    ssh_ports: dict[str, Annotated[int, Field(ge=1, le=MAX_PORT)]]
    identities: dict[str, _Short]
    disks: dict[str, Annotated[tuple[DevicePath, ...], Field(max_length=_MOST_DISKS)]]
    console_commands: dict[str, _Argv]
    reset_commands: dict[str, _Argv]
    state_commands: dict[str, _Argv]
    summary: str = Field(max_length=4096)


def read(
    values: Mapping[str, Any], names: Iterable[str], *, disks: int, own_module: bool
) -> tuple[dict[str, PlaceRecord], str]:
    """The machines by name, and a short text about where they are.

    Raises UserError if a user's own module breaks the contract, InfrastructureError if ours does.
    """

    def wrong(what: str) -> KdevopsError:
        kind = UserError if own_module else InfrastructureError
        return kind(
            f"the module's outputs do not match the contract: {what}",
            hint="terraform/README.md of kdevops describes the contract; kdevops down destroys what exists",
        )

    try:
        outputs = _Outputs.model_validate_json(json.dumps(dict(values)))
    except (ValidationError, ValueError, TypeError) as error:
        raise wrong(_first(error)) from None
    places = {}
    for name in sorted(names):
        try:
            found = PlaceRecord(
                host=outputs.controller_ip_map[name],
                port=outputs.ssh_ports[name],
                identity=clean(outputs.identities[name]),
                disks=outputs.disks[name],
                reset=outputs.reset_commands[name],
                state=outputs.state_commands[name],
                console=outputs.console_commands[name],
            )
        except KeyError:
            raise wrong(f"one of them lacks {name}") from None
        if len(found.disks) != disks:
            raise wrong(f"disks names {len(found.disks)} for {name}, but the lab has {disks} for each machine")
        places[name] = found
    return places, clean(outputs.summary, 100)


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        problem = error.errors(include_input=False, include_url=False)[0]
        return clean(f"{'.'.join(str(step) for step in problem['loc'])}: {problem['msg']}", 300)
    return clean(str(error), 300)
