"""Builds everything a lab needs before a guest starts: the kernel and its suites, and in parallel the image."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from kdevops.errors import KdevopsError, UserError
from kdevops.kernel.artifact import Artifact
from kdevops.kernel.build import build as build_kernel_of
from kdevops.kernel.build import source_tree
from kdevops.kernel.options import parse_config
from kdevops.kernel.spec import Asked, BuildSpec
from kdevops.kernel.tree import series_of_tree
from kdevops.lab.model import Lab
from kdevops.progress import Report
from kdevops.run.built import Built
from kdevops.run.dirs import Dirs
from kdevops.run.guests.kinds import kind_of
from kdevops.run.kernel_spec import spec_of
from kdevops.suites.base import KernelBuild, PreflightSuite, PreparedSuite, Suite
from kdevops.suites.registry import blamed, check_prepared, secrets_of, servers_of, suites_of


async def build(lab: Lab, dirs: Dirs, report: Report) -> Built:
    """Build kernel, suites and image, in parallel where possible; cached parts are reused.

    Raises UserError if the lab asks for something impossible, InfrastructureError if this machine cannot build it.
    """
    kind, suites, servers = kind_of(lab), suites_of(lab), servers_of(lab)
    try:
        async with asyncio.TaskGroup() as group:
            start = group.create_task(kind.build_root(lab, dirs, report))
            kernel = group.create_task(_kernel_and_suites(lab, suites, dirs, report))
    except* KdevopsError as errors:
        raise first_error(errors) from None
    artifact, prepared = kernel.result()
    check_prepared(lab, prepared)
    root = start.result()
    for suite in suites:
        if isinstance(suite, PreflightSuite):
            suite.check_kernel(artifact.release, root.origin.get("packages"))
    secrets = secrets_of(lab, dirs.lab(lab.name))
    return Built(artifact, root.image, prepared, servers, secrets, root.box, root.origin, kind.installs(lab))


async def build_kernel(lab: Lab, suites: Sequence[Suite], dirs: Dirs, report: Report) -> Artifact:
    """Build the lab's kernel with the options its suites need."""
    return await build_kernel_of(await kernel_spec(lab, suites, dirs, report), cache=dirs.cache, report=report)


async def kernel_spec(lab: Lab, suites: Sequence[Suite], dirs: Dirs, report: Report) -> BuildSpec:
    """The build specification, with the options each suite asks for; fetches the source to find them out."""
    spec = spec_of(lab.kernel, kind_of(lab).fragments(lab))
    tree = None if spec.source.is_built else await source_tree(spec, cache=dirs.cache, report=report)
    for suite in suites:
        if isinstance(suite, PreflightSuite):
            await suite.preflight(series_of_tree(tree) if tree else "", cache=dirs.cache, report=report)
    asked = []
    for suite in suites:
        with blamed(suite.name):
            options = suite.kernel_options(tree)
        asked.append(Asked(f"suite {suite.name}", options.required, options.optional))
    return replace(spec, asked=tuple(asked))


async def _kernel_and_suites(
    lab: Lab, suites: Sequence[Suite], dirs: Dirs, report: Report
) -> tuple[Artifact, tuple[PreparedSuite, ...]]:
    artifact = await build_kernel(lab, suites, dirs, report)
    distribution = artifact.record.get("distribution")
    kernel = KernelBuild(
        artifact.key,
        artifact.source,
        artifact.build_directory,
        artifact.vmlinux,
        artifact.modules,
        lab.kernel.compiler,
        artifact.release,
        parse_config(artifact.config.read_text(errors="replace")) if artifact.config else None,
        (distribution[0], distribution[1]) if distribution else None,
    )
    prepared = []
    for suite in suites:
        with blamed(suite.name):
            prepared.append(await suite.prepare(kernel, cache=dirs.cache, report=report))
    return artifact, tuple(prepared)


def first_error(errors: BaseExceptionGroup[KdevopsError]) -> KdevopsError:
    """The first UserError if there is one, else the first error: prefer what the user can fix."""
    flat: list[KdevopsError] = []
    for error in errors.exceptions:
        flat += [first_error(error)] if isinstance(error, BaseExceptionGroup) else [error]
    return next((error for error in flat if isinstance(error, UserError)), flat[0])
