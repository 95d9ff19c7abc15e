"""Everything of a lab that is built before a guest is needed: the kernel and its suites, and beside them the image."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kdevops.errors import KdevopsError, UserError
from kdevops.images.image import BaseImage, ensure_image
from kdevops.kernel.artifact import Artifact
from kdevops.kernel.build import build as build_kernel_of
from kdevops.kernel.build import source_tree
from kdevops.kernel.options import parse_config
from kdevops.kernel.spec import Asked, BuildSpec
from kdevops.kernel.tree import series_of_tree
from kdevops.lab.model import Lab, Qemu
from kdevops.lab.vagrant import Vagrant
from kdevops.progress import Report
from kdevops.run.built import Built
from kdevops.run.kernel_spec import machine_fragments, spec_of
from kdevops.run.places import Places
from kdevops.suites.base import KernelBuild, PickySuite, PreparedSuite, Suite
from kdevops.suites.fstests import smb_credentials
from kdevops.suites.registry import guest_needs, servers_of, suites_of

if TYPE_CHECKING:
    from kdevops.providers.vagrant.render import VagrantBox


async def build(lab: Lab, places: Places, report: Report) -> Built:
    """Kernel, suites and image, as much at once as can be; what is there already costs nothing.

    Raises UserError for what the lab asks for and cannot be, InfrastructureError for what this machine cannot do.
    """
    suites, servers = suites_of(lab), servers_of(lab)
    try:
        async with asyncio.TaskGroup() as group:
            root = group.create_task(build_root(lab, places, report))
            kernel = group.create_task(_kernel_and_suites(lab, suites, places, report))
    except* KdevopsError as errors:
        raise first_error(errors) from None
    artifact, prepared = kernel.result()
    image, box, origin = root.result()
    for suite in suites:
        if isinstance(suite, PickySuite):
            suite.refuse(artifact.release, origin.get("packages"))
    secrets = {}
    if any(server.role == "smbd" for server in servers):
        secrets[smb_credentials.GUEST_PATH] = smb_credentials.ensure_credentials(places.lab(lab.name))
    return Built(artifact, image, prepared, servers, secrets, box, origin, lab.installs)


async def build_root(
    lab: Lab, places: Places, report: Report
) -> tuple[BaseImage | None, VagrantBox | None, Mapping[str, Any]]:
    """What the lab's guests start from, and what a run must remember of it."""
    if isinstance(lab.provider, Qemu):
        image = await build_image(lab, places, report)
        return image, None, {"key": image.key, **image.record}
    if not isinstance(lab.provider, Vagrant):
        return None, None, {"kind": lab.provider.type}
    from kdevops.images.box import ensure_box
    from kdevops.providers.vagrant.render import VagrantBox

    wanted = lab.provider
    if wanted.box:
        box = VagrantBox(wanted.box, wanted.box_version, wanted.box_url, wanted.box_sha256)
        return None, box, {"kind": "box", "name": box.name, "version": box.version, "sha256": box.sha256}
    made = await ensure_box(lab.guests.image, guest_needs(lab), wanted.backend, cache=places.cache, report=report)
    return None, VagrantBox(made.name, url=str(made.path)), {"key": made.key, **made.record}


async def build_image(lab: Lab, places: Places, report: Report) -> BaseImage:
    """The image the lab's guests start from."""
    return await ensure_image(lab.guests.image, guest_needs(lab), cache=places.cache, report=report)


async def build_kernel(lab: Lab, suites: Sequence[Suite], places: Places, report: Report) -> Artifact:
    """The lab's kernel with what its suites need built in."""
    return await build_kernel_of(await kernel_spec(lab, suites, places, report), cache=places.cache, report=report)


async def kernel_spec(lab: Lab, suites: Sequence[Suite], places: Places, report: Report) -> BuildSpec:
    """What is to be built, with what each suite asks of the configuration; for that the source is fetched."""
    spec = spec_of(lab.kernel, machine_fragments(lab))
    tree = None if spec.source.is_built else await source_tree(spec, cache=places.cache, report=report)
    for suite in suites:
        if isinstance(suite, PickySuite):
            await suite.foresee(series_of_tree(tree) if tree else "", cache=places.cache, report=report)
    asked = []
    for suite in suites:
        options = suite.kernel_options(tree)
        asked.append(Asked(f"suite {suite.name}", options.required, options.optional))
    return replace(spec, asked=tuple(asked))


async def _kernel_and_suites(
    lab: Lab, suites: Sequence[Suite], places: Places, report: Report
) -> tuple[Artifact, tuple[PreparedSuite, ...]]:
    artifact = await build_kernel(lab, suites, places, report)
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
    return artifact, tuple([await suite.prepare(kernel, cache=places.cache, report=report) for suite in suites])


def first_error(errors: BaseExceptionGroup[KdevopsError]) -> KdevopsError:
    """What the user can mend is told before what the machine did."""
    flat: list[KdevopsError] = []
    for error in errors.exceptions:
        flat += [first_error(error)] if isinstance(error, BaseExceptionGroup) else [error]
    return next((error for error in flat if isinstance(error, UserError)), flat[0])
