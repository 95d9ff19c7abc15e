"""Split a lab with `compare` into two labs: the baseline kernel and the kernel under test."""

from __future__ import annotations

from kdevops.lab.model import DEV, Lab, Qemu
from kdevops.lab.servers import ROLES


def arms(lab: Lab) -> tuple[Lab, ...]:
    """The baseline, which keeps the lab's name, and the lab under test, `<name>-dev`; without `compare` the lab itself.

    Neither has `compare` any more: each is an ordinary lab with its own directory, lock and runs.
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
