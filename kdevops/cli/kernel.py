"""`kdevops kernel`: build a lab's kernel, and list built kernels."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from kdevops.cli.options import Context, common_options, json_option, lab_verb, pass_context

if TYPE_CHECKING:
    from pathlib import Path

    from kdevops.kernel.artifact import Artifact


@click.group()
def kernel() -> None:
    """Build and show kernels."""


@kernel.command(short_help="Build the kernel of LAB unless it is cached.")
@lab_verb
def build(context: Context) -> None:
    """Build the kernel of LAB, with the options its suites need, and the kernel of `compare`, unless they are cached."""
    from rich.console import Console

    from kdevops.report.live import Display
    from kdevops.run.arms import build_kernels
    from kdevops.run.dirs import Dirs

    lab = context.lab().lab

    async def main() -> list[Artifact]:
        with Display(Console(stderr=True, highlight=False)) as display:
            return await build_kernels(lab, Dirs.default(), display.handle)

    _tell(context, asyncio.run(main()))


@kernel.command()
@json_option
@common_options
@pass_context
def show(context: Context) -> None:
    """List the kernels in the cache, newest first."""
    from kdevops.kernel.artifact import artifacts
    from kdevops.paths import cache_dir

    _tell(context, artifacts(cache_dir()))


def _tell(context: Context, found: list[Artifact]) -> None:
    data = [
        {"key": each.key, "release": each.release, "build_id": each.build_id, "directory": str(each.directory)}
        | {name: path and str(path) for name, path in _files(each).items()}
        | {"record": each.record}
        for each in found
    ]
    lines = [f"{each.release}  build id {(each.build_id or 'unknown')[:12]}  {each.image}" for each in found]
    context.emit(data, lines or ["no kernel built yet"])


def _files(artifact: Artifact) -> dict[str, Path | None]:
    """The files to install; the role bootlinux reads these names."""
    return {"image": artifact.image, "config": artifact.config, "modules": artifact.modules}
