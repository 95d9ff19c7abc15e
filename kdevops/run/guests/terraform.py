"""Machines that Terraform makes in a cloud."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

from kdevops.errors import UserError
from kdevops.progress import Confirm, Report, ask_nobody
from kdevops.run.guests.kinds import counted
from kdevops.run.guests.machines import MachinesKind

if TYPE_CHECKING:
    from kdevops.lab.model import Lab
    from kdevops.lab.terraform import Terraform
    from kdevops.providers.machines.base import Machines
    from kdevops.providers.shared.lab_directory import LabDirectory
    from kdevops.run.guests.rented import Rented
    from kdevops.run.places import Places


class TerraformKind(MachinesKind):
    """`provider: {type: terraform}`."""

    lasting = False

    def machines_of(self, lab: Lab, directory: LabDirectory, report: Report, confirm: Confirm) -> Machines:
        """Those of the lab's cloud, or of its own module."""
        from kdevops.providers.terraform.machines import TerraformMachines

        return TerraformMachines(lab, directory, report, confirm=confirm)

    def slowness(self, lab: Lab) -> float:
        """As the lab says."""
        return _of(lab).slowness

    async def preflight(self, lab: Lab, places: Places, report: Report, confirm: Confirm = ask_nobody) -> None:
        """Plan the machines, and ask whether they may be made. Raises UserError also for those of another processor."""
        _check_architecture(_of(lab))
        await super().preflight(lab, places, report, confirm)

    def fragments(self, lab: Lab) -> tuple[str, ...]:
        """For the hardware of all clouds; a module of the user's own may make anything."""
        return ("box", "cloud") if _of(lab).cloud else ()

    def describe(self, lab: Lab) -> str:
        """How many and where, and of which type where the lab says so."""
        wanted = _of(lab)
        where = f"in {wanted.cloud}" if wanted.cloud else f"of {wanted.module}"
        return f"{counted(lab, 'guest')} {where}" + (f" ({wanted.instance_type})" if wanted.instance_type else "")

    def rented(self, directory: Path) -> Rented | None:
        """What is remembered of the machines in the cloud."""
        from kdevops.providers.terraform.record import age, load
        from kdevops.run.guests.rented import Rented

        if (record := load(directory)) is None:
            return None
        facts = record.lab, record.where, record.nodes, record.created, record.expires, record.overdue
        return Rented(*facts, age=age(record), advice=_advice(record.origin))

    async def destroy(self, directory: Path, report: Report) -> None:
        """By the tool that made them."""
        from kdevops.providers.shared.lab_directory import LabDirectory
        from kdevops.providers.terraform.work import destroy

        await destroy(LabDirectory(directory), report)


def _of(lab: Lab) -> Terraform:
    from kdevops.lab.terraform import Terraform

    return lab.provider_as(Terraform)


def _check_architecture(wanted: Terraform) -> None:
    """Raise UserError where machines would have another processor than this one, which kernel and suites are built for."""
    here = platform.machine()
    if wanted.architecture not in {None, here}:
        raise UserError(
            f"provider.architecture is {wanted.architecture}, and what is built on this machine runs on {here}",
            hint=f"have machines of {here}, or run kdevops on one of {wanted.architecture}: the cloud has small ones",
        )


def _advice(origin: str) -> str:
    """Of a cloud, the command that looks at what it takes; a module of the user's own only its author knows."""
    from kdevops.lab.clouds import cloud_names

    told = "the cloud, or its own command line, does not answer"
    return f"{told}; see kdevops doctor --terraform {origin}" if origin in cloud_names() else told
