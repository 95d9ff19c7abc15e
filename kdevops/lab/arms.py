"""The labs that a lab with `compare` stands for: the same guests with the kernel to compare with, and with that under test."""

from __future__ import annotations

from kdevops.lab.model import DEV, Lab, Qemu
from kdevops.lab.servers import ROLES


def arms(lab: Lab) -> tuple[Lab, ...]:
    """The baseline arm, which keeps the lab's name, and the arm under test, `<name>-dev`; without `compare` the lab itself.

    Neither compares any more: each is a lab like any other, with a directory, a lock and runs of its own.
    """
    compare = lab.compare
    if compare is None:
        return (lab,)
    own = {"provider": compare.provider, "guests": compare.guests}
    baseline = lab.model_copy(
        update={"compare": None, "kernel": compare.kernel} | {field: value for field, value in own.items() if value}
    )
    under_test = lab.model_copy(update={"compare": None, "name": lab.name + DEV})
    provider = lab.provider
    if isinstance(provider, Qemu) and provider.ssh_port and compare.provider is None:
        port = provider.ssh_port + baseline.guests.count + len(ROLES)
        under_test = under_test.model_copy(update={"provider": provider.model_copy(update={"ssh_port": port})})
    return baseline, under_test
