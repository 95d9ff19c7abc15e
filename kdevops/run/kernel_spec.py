"""Converts the kernel section of a lab file to a build specification."""

from __future__ import annotations

from kdevops.kernel.spec import BuildSpec, ConfigSpec, SourceSpec
from kdevops.lab.model import Kernel, Source


def spec_of(kernel: Kernel, fragments: tuple[str, ...] = ()) -> BuildSpec:
    """The kernel that lab.yaml asks for, without the options of suites. Its own fragments override `fragments`."""
    config = kernel.config
    return BuildSpec(
        source=_source(kernel.source),
        patches=tuple(map(str, kernel.patches)),
        config=ConfigSpec(config.base, (*fragments, *config.fragments), config.options, config.optional),
        compiler=kernel.compiler,
        jobs=kernel.jobs,
    )


def _source(source: Source) -> SourceSpec:
    (kind,) = source.kinds
    return SourceSpec(kind, str(getattr(source, kind)), source.ref, source.sha256)
