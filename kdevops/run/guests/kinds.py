"""Kinds of provider: the interface of a kind, and the one table that lists them.

A new kind needs a module with an implementation of `Kind`, a line in `KINDS`, and a model of its section of the lab file
with a line in `kdevops.lab.model.PROVIDERS`. No other code depends on the kind of a lab.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from kdevops.progress import Confirm, Report, ask_nobody, silent

if TYPE_CHECKING:
    from kdevops.doctor.option import DoctorOption
    from kdevops.errors import InfrastructureError
    from kdevops.images.box_tree import BoxProvider
    from kdevops.lab.model import Lab
    from kdevops.providers.base import Provider
    from kdevops.run.built import Built, Root
    from kdevops.run.dirs import Dirs
    from kdevops.run.guests.rented import Rented


class Kind(Protocol):
    """What differs between kinds of provider. A kind inherits the defaults and overrides what differs.

    Modules of kinds import heavy modules inside functions, because `kdevops ssh` and `kdevops gc` load every kind.
    """

    one_lab_at_a_time: bool = False
    """Whether labs of this kind must not start their guests at the same time."""

    caches: tuple[str, ...] = ()
    """Directories below the cache that `kdevops gc` may empty."""

    def attached(self, lab: Lab, dirs: Dirs, report: Report = silent) -> Provider:
        """A provider for existing guests only: status, attach, down."""
        raise NotImplementedError

    async def provider_for(
        self, lab: Lab, dirs: Dirs, built: Built, report: Report, confirm: Confirm = ask_nobody
    ) -> Provider:
        """The provider for guests that run `built`. `confirm` is called before anything that costs money.

        Raises UserError for what such guests cannot do.
        """
        raise NotImplementedError

    async def preflight(self, lab: Lab, dirs: Dirs, report: Report, confirm: Confirm = ask_nobody) -> None:
        """Before a kernel is built, check whether the guests can be provided, and ask for confirmation if needed.

        Raises KdevopsError if not. By default there is nothing to check.
        """

    async def build_root(self, lab: Lab, dirs: Dirs, report: Report) -> Root:
        """The root of the guests, made if it is missing. By default guests have their own."""
        from kdevops.run.built import Root

        return Root({"kind": lab.provider.type})

    def installs(self, lab: Lab) -> bool:
        """Whether the kernel and its modules are installed in the guests; else each boot gets the kernel directly."""
        return True

    def fragments(self, lab: Lab) -> tuple[str, ...]:
        """Kernel configuration fragments for the guests' hardware. Empty for most kinds, so that labs share a kernel."""
        return ()

    def describe(self, lab: Lab) -> str:
        """The number and size of the guests, in a few words."""
        memory = lab.guests.memory / (1 << 30)
        return f"{counted(lab, 'guest')} ({lab.guests.cpus} CPU, {memory:.3g} GiB each)"

    def box_provider(self, lab: Lab) -> BoxProvider | None:
        """The Vagrant provider to make a box for; None if guests do not start from a box."""
        return None

    def doctor_option(self) -> DoctorOption | None:
        """The option of `kdevops doctor` that is called like this kind; None if there is nothing more to check."""
        return None

    def is_down(self, directory: Path, guest: str, port: int | None) -> bool:
        """Whether a guest of the lab in `directory`, with ssh at `port`, is of this kind and certainly down."""
        return False

    def connect_terminal(self, directory: Path, guest: str) -> bool:
        """Connect this terminal to the console of the guest in `directory` until either ends; False for other kinds' guests.

        Raises KdevopsError if that fails.
        """
        return False

    def rented(self, directory: Path) -> Rented | None:
        """The machines of the lab in `directory` that cost money until they are destroyed.

        Raises InfrastructureError if their record cannot be read.
        """
        return None

    async def destroy(self, directory: Path, report: Report) -> None:
        """Destroy all `rented` machines of the lab in `directory`, regardless of its lab file. Raises KdevopsError."""


KINDS: dict[str, str | Kind] = {
    "qemu": "kdevops.run.guests.qemu:QemuKind",
    "vagrant": "kdevops.run.guests.vagrant:VagrantKind",
    "terraform": "kdevops.run.guests.terraform:TerraformKind",
    "hosts": "kdevops.run.guests.hosts:HostsKind",
}
"""`provider.type` of a lab file → its kind, or the kind's module:class, imported on demand."""


def kind_of(lab: Lab) -> Kind:
    """The kind of a lab's provider."""
    return kind_named(lab.provider.type)


def kind_named(name: str) -> Kind:
    """The kind with this name in lab files."""
    kind = KINDS[name]
    if not isinstance(kind, str):
        return kind
    module, _, of_module = kind.partition(":")
    return cast("Kind", getattr(importlib.import_module(module), of_module)())


def all_kinds() -> Iterator[Kind]:
    """Every kind, for questions about files of an unknown lab."""
    return map(kind_named, KINDS)


def all_rented(labs: Path) -> list[tuple[Kind, Path, Rented | InfrastructureError]]:
    """All labs below `labs` with rented machines, or with an error if their record cannot be read."""
    from kdevops.errors import InfrastructureError

    found: list[tuple[Kind, Path, Rented | InfrastructureError]] = []
    for path in sorted(labs.iterdir()) if labs.is_dir() else ():
        for kind in all_kinds():
            try:
                rented = kind.rented(path)
            except InfrastructureError as error:
                found.append((kind, path, error))
            else:
                found += [(kind, path, rented)] if rented else []
    return found


def counted(lab: Lab, what: str) -> str:
    """ "1 guest", "2 guests"."""
    return f"{lab.guests.count} {what}{'s' if lab.guests.count > 1 else ''}"
