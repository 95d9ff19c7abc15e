"""The kernel of a lab file as the kernel room takes it, with what its guests' hardware needs."""

from __future__ import annotations

from kdevops.kernel.spec import BuildSpec, ConfigSpec, SourceKind, SourceSpec
from kdevops.lab.model import Kernel, Lab, Source
from kdevops.lab.terraform import Terraform
from kdevops.lab.vagrant import Vagrant

_KINDS: tuple[SourceKind, ...] = ("path", "tarball", "git", "package", "prebuilt")


def spec_of(kernel: Kernel, fragments: tuple[str, ...] = ()) -> BuildSpec:
    """What lab.yaml asks for, without what suites need on top of it. Its own fragments go over `fragments`."""
    config = kernel.config
    return BuildSpec(
        source=_source(kernel.source),
        patches=tuple(map(str, kernel.patches)),
        config=ConfigSpec(config.base, (*fragments, *config.fragments), config.options, config.optional),
        compiler=kernel.compiler,
        jobs=kernel.jobs,
    )


def machine_fragments(lab: Lab) -> tuple[str, ...]:
    """What the guests' machines need beyond what every guest does. None for most, so that labs share a kernel."""
    provider = lab.provider
    if isinstance(provider, Terraform):
        return ("box", "cloud") if provider.cloud else ()
    if not isinstance(provider, Vagrant):
        return ()
    needed = {
        "box": provider.box is not None,  # ours boots what the embedded provider's images boot
        "nvme": provider.disk_bus == "nvme",
        "virtualbox": provider.backend == "virtualbox",
    }
    return tuple(name for name, there in needed.items() if there)


def _source(source: Source) -> SourceSpec:
    kind = next(kind for kind in _KINDS if getattr(source, kind))  # the model sees to it that there is exactly one
    return SourceSpec(kind, str(getattr(source, kind)), source.ref, source.sha256)
