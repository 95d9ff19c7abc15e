"""Machines that exist already, by address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdevops.progress import Confirm, Report
from kdevops.run.guests.kinds import counted
from kdevops.run.guests.machines import MachinesKind

if TYPE_CHECKING:
    from kdevops.lab.model import Lab
    from kdevops.providers.machines.base import Machines
    from kdevops.providers.shared.lab_directory import LabDirectory


class HostsKind(MachinesKind):
    """`provider: {type: hosts}`."""

    preexisting = True

    def machines_of(self, lab: Lab, directory: LabDirectory, report: Report, confirm: Confirm) -> Machines:
        """The machines that the lab lists."""
        from kdevops.providers.machines.hosts import HostMachines

        return HostMachines(lab)

    def slowness(self, lab: Lab) -> float:
        """The slowness set in the lab."""
        from kdevops.lab.hosts import Hosts

        return lab.provider_as(Hosts).slowness

    def describe(self, lab: Lab) -> str:
        """How many; their size is not up to the lab."""
        return f"{counted(lab, 'machine')} of yours"
