"""Cloud machines made by Terraform."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

from kdevops.errors import UserError
from kdevops.progress import Confirm, Report, ask_nobody
from kdevops.run.guests.kinds import counted
from kdevops.run.guests.machines import MachinesKind

if TYPE_CHECKING:
    from kdevops.doctor.checks import Check
    from kdevops.doctor.option import DoctorOption
    from kdevops.lab.model import Lab
    from kdevops.lab.terraform import Terraform
    from kdevops.providers.machines.base import Machines
    from kdevops.providers.shared.lab_directory import LabDirectory
    from kdevops.run.dirs import Dirs
    from kdevops.run.guests.rented import Rented

_NO_CLOUD = "none"


class TerraformKind(MachinesKind):
    """`provider: {type: terraform}`."""

    preexisting = False
    caches = ("terraform",)

    def machines_of(self, lab: Lab, directory: LabDirectory, report: Report, confirm: Confirm) -> Machines:
        """The machines of the lab's cloud, or of its own module."""
        from kdevops.providers.terraform.machines import TerraformMachines

        return TerraformMachines(lab, directory, report, confirm=confirm)

    def slowness(self, lab: Lab) -> float:
        """The slowness set in the lab."""
        return _of(lab).slowness

    async def preflight(self, lab: Lab, dirs: Dirs, report: Report, confirm: Confirm = ask_nobody) -> None:
        """Plan the machines and ask for confirmation. Also raises UserError for machines with another processor."""
        _check_architecture(_of(lab))
        await super().preflight(lab, dirs, report, confirm)

    def fragments(self, lab: Lab) -> tuple[str, ...]:
        """Fragments for the hardware of all clouds; none for the user's own module, which may make anything."""
        return ("box", "cloud") if _of(lab).cloud else ()

    def describe(self, lab: Lab) -> str:
        """How many and where, and the instance type if the lab sets it."""
        wanted = _of(lab)
        where = f"in {wanted.cloud}" if wanted.cloud else f"of {wanted.module}"
        return f"{counted(lab, 'guest')} {where}" + (f" ({wanted.instance_type})" if wanted.instance_type else "")

    def rented(self, directory: Path) -> Rented | None:
        """The record of the machines in the cloud."""
        from kdevops.providers.terraform.record import age, load
        from kdevops.run.guests.rented import Rented

        if (record := load(directory)) is None:
            return None
        facts = record.lab, record.where, record.nodes, record.created, record.expires, record.overdue
        return Rented(*facts, age=age(record), advice=_advice(record.origin))

    def doctor_option(self) -> DoctorOption:
        """The tool, and what a cloud needs."""
        from kdevops.doctor.option import DoctorOption
        from kdevops.lab.clouds import cloud_names

        help_ = "Also check Terraform or OpenTofu and, for a cloud, its command-line tool and credentials."
        return DoctorOption(cloud_names(), _NO_CLOUD, help_, _checks)

    async def destroy(self, directory: Path, report: Report) -> None:
        """Destroy the machines with the tool that made them."""
        from kdevops.providers.shared.lab_directory import LabDirectory
        from kdevops.providers.terraform.work import destroy

        await destroy(LabDirectory(directory), report)


async def _checks(cloud: str) -> list[Check]:
    from kdevops.doctor.terraform import check_terraform

    return await check_terraform(None if cloud == _NO_CLOUD else cloud)


def _of(lab: Lab) -> Terraform:
    from kdevops.lab.terraform import Terraform

    return lab.provider_as(Terraform)


def _check_architecture(wanted: Terraform) -> None:
    """Raise UserError for machines with another processor than this one's, for which kernel and suites are built."""
    here = platform.machine()
    if wanted.architecture not in {None, here}:
        raise UserError(
            f"provider.architecture is {wanted.architecture}, but kernels built on this machine are for {here}",
            hint=f"use {here} machines, or run kdevops on a {wanted.architecture} machine: the cloud has small ones",
        )


def _advice(origin: str) -> str:
    """A hint for machines whose state is unknown; for a cloud it includes the command to check the tools."""
    from kdevops.lab.clouds import cloud_names

    told = "the cloud or its command-line tool does not answer"
    return f"{told}; see kdevops doctor --terraform {origin}" if origin in cloud_names() else told
