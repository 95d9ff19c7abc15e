"""Kinds of provider: what each owes the rest of the program, and the one table that lists them.

A new kind is a module with an implementation of `Kind`, a line in `KINDS`, and a model of what the lab file may say of
it with a line in `kdevops.lab.model.PROVIDERS`. Nothing else asks which kind a lab has.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from kdevops.progress import Confirm, Report, ask_nobody, silent

if TYPE_CHECKING:
    from kdevops.errors import InfrastructureError
    from kdevops.images.box_tree import BoxProvider
    from kdevops.lab.model import Lab
    from kdevops.providers.base import Provider
    from kdevops.run.built import Built, Root
    from kdevops.run.guests.rented import Rented
    from kdevops.run.places import Places


class Kind(Protocol):
    """What differs between kinds of provider. A kind inherits this, and says what is not so of it.

    Modules of kinds import what is heavy in their functions: `kdevops ssh` and `kdevops gc` look at every kind.
    """

    one_lab_at_a_time: bool = False
    """Whether labs of this kind get in each other's way when their guests come up at once."""

    def attached(self, lab: Lab, places: Places, report: Report = silent) -> Provider:
        """The provider as far as guests that are already there go: status, attach, down."""
        raise NotImplementedError

    async def provider_for(
        self, lab: Lab, places: Places, built: Built, report: Report, confirm: Confirm = ask_nobody
    ) -> Provider:
        """The provider whose guests run what was built. `confirm` is asked before it makes anything that costs money.

        Raises UserError for what such guests cannot do.
        """
        raise NotImplementedError

    async def preflight(self, lab: Lab, places: Places, report: Report, confirm: Confirm = ask_nobody) -> None:
        """Before a kernel is built: check whether the guests can be had, and whether somebody agrees to them.

        Raises KdevopsError where not. There is nothing to check unless the kind says so.
        """

    async def build_root(self, lab: Lab, places: Places, report: Report) -> Root:
        """What the guests start from, made where it is missing. By default guests have a root of their own."""
        from kdevops.run.built import Root

        return Root({"kind": lab.provider.type})

    def installs(self, lab: Lab) -> bool:
        """Whether the kernel goes into the guests and their boot loaders, with its modules; else each boot is handed it."""
        return True

    def fragments(self, lab: Lab) -> tuple[str, ...]:
        """The fragments of a kernel's configuration for the guests' hardware. None for most, so that labs share a kernel."""
        return ()

    def describe(self, lab: Lab) -> str:
        """How many guests, and how big each is, in a few words."""
        memory = lab.guests.memory / (1 << 30)
        return f"{counted(lab, 'guest')} ({lab.guests.cpus} CPU, {memory:.3g} GiB each)"

    def box_provider(self, lab: Lab) -> BoxProvider | None:
        """Which of Vagrant's providers a box for this lab is made for; None where guests start from no box."""
        return None

    def is_down(self, directory: Path, guest: str, port: int | None) -> bool:
        """Whether a guest of the lab in `directory`, reached at `port`, is of this kind and surely does not run."""
        return False

    def connect_terminal(self, directory: Path, guest: str) -> bool:
        """Connect this terminal with the console of the guest in `directory` until either ends; False for another kind's.

        Raises KdevopsError where that fails.
        """
        return False

    def rented(self, directory: Path) -> Rented | None:
        """The machines of the lab in `directory` that cost money until they are destroyed.

        Raises InfrastructureError where it is not known which these are.
        """
        return None

    async def destroy(self, directory: Path, report: Report) -> None:
        """Destroy all `rented` machines of the lab in `directory`, whatever its file says by now. Raises KdevopsError."""


KINDS: dict[str, str | Kind] = {
    "qemu": "kdevops.run.guests.qemu:QemuKind",
    "vagrant": "kdevops.run.guests.vagrant:VagrantKind",
    "terraform": "kdevops.run.guests.terraform:TerraformKind",
    "hosts": "kdevops.run.guests.hosts:HostsKind",
}
"""`provider.type` of a lab file → its kind, or module:class of it, which is imported when it is asked for."""


def kind_of(lab: Lab) -> Kind:
    """The kind of a lab's provider."""
    return kind_named(lab.provider.type)


def kind_named(name: str) -> Kind:
    """The kind that lab files name so."""
    kind = KINDS[name]
    if not isinstance(kind, str):
        return kind
    module, _, of_module = kind.partition(":")
    return cast("Kind", getattr(importlib.import_module(module), of_module)())


def all_kinds() -> Iterator[Kind]:
    """Every kind there is, for what is asked of files where no lab says whose they are."""
    return map(kind_named, KINDS)


def all_rented(labs: Path) -> list[tuple[Kind, Path, Rented | InfrastructureError]]:
    """All labs below a directory of labs that have rented machines, or of which it cannot be said."""
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
