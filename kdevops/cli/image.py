"""`kdevops image`: make guest images ahead of time."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdevops.cli.options import Context, common_options, json_option, lab_argument, pass_context, set_option
from kdevops.errors import UserError

if TYPE_CHECKING:
    from kdevops.images.box import Box
    from kdevops.images.box_tree import BoxProvider

_PROVIDERS = ("libvirt", "virtualbox")


@click.group()
def image() -> None:
    """Make guest images."""


@image.command(short_help="Make a Vagrant box from the image of LAB unless it is cached.")
@lab_argument
@set_option
@click.option("--provider", type=click.Choice(_PROVIDERS), help="Vagrant's provider; default: the lab's, or libvirt.")
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also copy the box to this file, replacing an existing one.",
)
@json_option
@common_options
@pass_context
def box(context: Context, *, provider: BoxProvider | None, output: Path | None) -> None:
    """Make a Vagrant box from guests.image with what the suites of LAB need in a guest, unless it is cached.

    A lab with the vagrant provider does this by itself. The box is for use elsewhere: it is Debian with a kernel, a boot
    loader, the user vagrant and Vagrant's well-known key, so keep machines made from it unreachable for others.
    """
    from rich.console import Console

    from kdevops.images.box import ensure_box
    from kdevops.paths import cache_dir
    from kdevops.report.live import Display
    from kdevops.run.guests.kinds import kind_of
    from kdevops.suites.registry import guest_needs

    lab = context.lab().lab
    wanted = provider or kind_of(lab).box_provider(lab) or "libvirt"

    async def main() -> Box:
        with Display(Console(stderr=True, highlight=False)) as display:
            needs = guest_needs(lab)
            return await ensure_box(lab.guests.image, needs, wanted, cache=cache_dir(), report=display.handle)

    made = asyncio.run(main())
    path = _copy(made.path, output) if output else made.path
    add = shlex.join(["vagrant", "box", "add", "--name", made.name, "--provider", made.provider, str(path)])
    data = {"path": str(path), "name": made.name, "key": made.key, "provider": made.provider, "add": add}
    context.emit({**data, "record": made.record}, [f"{made.name}  {path}", f"key {made.key}", add])


def _copy(box: Path, output: Path) -> Path:
    """Copy the box to `output` atomically."""
    try:
        with tempfile.TemporaryDirectory(dir=output.absolute().parent, prefix=f".{output.name}.") as directory:
            part = Path(directory) / "box"
            shutil.copyfile(box, part)
            part.replace(output)
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}") from error
    return output.absolute()
