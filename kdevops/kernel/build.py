"""Build a kernel, or reuse an earlier build of the same inputs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdevops.errors import UserError
from kdevops.files import digest_of, locked, published, write_atomic
from kdevops.kernel import recovery
from kdevops.kernel.artifact import Artifact
from kdevops.kernel.config import ConfigPlan, configure, is_fresh, mark_fresh, plan_config
from kdevops.kernel.distribution import distribution_kernel
from kdevops.kernel.elf import read_build_id
from kdevops.kernel.make import Make
from kdevops.kernel.meter import STEP, Meter
from kdevops.kernel.modules import pack_modules
from kdevops.kernel.options import parse_config
from kdevops.kernel.patched import patched_tree
from kdevops.kernel.patches import Patch, load_patches
from kdevops.kernel.prebuilt import prebuilt
from kdevops.kernel.source import open_source
from kdevops.kernel.spec import BuildSpec
from kdevops.kernel.toolchain import Architecture, Toolchain, architecture, probe, require_for
from kdevops.kernel.tree import Identity, Source
from kdevops.process import run
from kdevops.progress import Progress, Report, silent

_FORMAT = 1
"""Part of every key: increase it when the same inputs would give a different artifact."""


async def build(spec: BuildSpec, *, cache: Path, report: Report = silent) -> Artifact:
    """The kernel described by `spec`, from the cache when nothing it depends on has changed, else built.

    `cache` holds sources, build directories and artifacts; it may be removed whenever nothing is being built. Raises
    UserError for a mistake in the spec, the source, its patches or its configuration (a compiler's first error with file
    and line), InfrastructureError for missing tools, a full disk, the network.
    """
    if (ready := await _ready_made(spec, cache.absolute(), report)) is not None:
        return ready
    job, identity = await _job(spec, cache.absolute(), report)
    found = Artifact.load(job.artifact_directory(identity))
    if found is None:
        found = await job.build(identity)
    report(Progress(STEP, f"{found.release} is ready", fraction=1.0, done=True))
    return found


async def find(spec: BuildSpec, *, cache: Path, report: Report = silent) -> Artifact | None:
    """The kernel that `build` would give without compiling anything, None where it would have to. Raises as `build` does.

    A source may be fetched to the cache for this, and so is a kernel that came built.
    """
    if (ready := await _ready_made(spec, cache.absolute(), report)) is not None:
        return ready
    job, identity = await _job(spec, cache.absolute(), report)
    return Artifact.load(job.artifact_directory(identity))


async def _ready_made(spec: BuildSpec, cache: Path, report: Report) -> Artifact | None:
    if spec.source.kind == "prebuilt":
        return prebuilt(Path(spec.source.location), cache)
    if spec.source.is_distribution_kernel:
        return await distribution_kernel(spec.source.location, cache, report)
    return None


async def _job(spec: BuildSpec, cache: Path, report: Report) -> tuple[_Job, Identity]:
    machine = architecture()
    source = open_source(spec.source, machine, cache, report)
    patches = load_patches(spec.patches)
    plan = plan_config(spec, machine)
    toolchain = await probe(spec.compiler)
    identity = await source.identify()
    return _Job(spec, cache, report, machine, source, patches, plan, toolchain), identity


async def source_tree(spec: BuildSpec, *, cache: Path, report: Report = silent) -> Path:
    """The source that `spec` would build, with patches applied, to see what it offers before building.

    Raises UserError for a kernel without source, and as `build` does for the source and the patches.
    """
    source = open_source(spec.source, architecture(), cache.absolute(), report)
    patches = load_patches(spec.patches)
    identity = await source.identify()
    async with AsyncExitStack() as held:
        return await _tree(source, identity, spec, patches, cache.absolute(), report, held)


async def _tree(
    source: Source,
    identity: Identity,
    spec: BuildSpec,
    patches: tuple[Patch, ...],
    cache: Path,
    report: Report,
    held: AsyncExitStack,
) -> Path:
    """The source tree with its patches; `held` gets the lock of a patched tree."""
    tree = await source.tree(identity)
    if not patches:
        return tree
    slot = cache / "patched" / _tree_slot(source, identity, spec)
    await held.enter_async_context(locked(slot.with_suffix(".lock"), report=report, step=STEP))
    return await patched_tree(tree, identity, patches, slot, report)


def _tree_slot(source: Source, identity: Identity, spec: BuildSpec) -> str:
    """Name of the source directory. A tree that changes keeps its slot, so that its build directory is reused."""
    return digest_of([source.name if source.in_place else identity.key, spec.patches])[:16]


@dataclass(frozen=True, slots=True)
class _Job:
    """The inputs of one build, read and checked."""

    spec: BuildSpec
    cache: Path
    report: Report
    architecture: Architecture
    source: Source
    patches: tuple[Patch, ...]
    plan: ConfigPlan
    toolchain: Toolchain

    def artifact_directory(self, identity: Identity) -> Path:
        patches = [patch.sha256 for patch in self.patches]
        key = [_FORMAT, identity.key, patches, self.plan.key, self.toolchain.key, self.architecture.arch]
        return self.cache / "kernels" / digest_of(key)[:32]

    def _build_slot(self, identity: Identity) -> str:
        """Name of the build directory. It depends on ccache and configuration: changing them recompiles everything."""
        parts = [
            _tree_slot(self.source, identity, self.spec),
            self.plan.key,
            self.toolchain.key,
            self.toolchain.ccache,
            self.architecture.arch,
        ]
        return digest_of(parts)[:16]

    async def build(self, identity: Identity) -> Artifact:
        started = time.monotonic()
        home = self.cache / "builds" / self._build_slot(identity)
        async with AsyncExitStack() as held:
            await held.enter_async_context(locked(home.with_suffix(".lock"), report=self.report, step=STEP))
            directory = self.artifact_directory(identity)
            if found := Artifact.load(directory):
                return found  # another process built it while we waited
            tree = await _tree(self.source, identity, self.spec, self.patches, self.cache, self.report, held)
            make = self._make(tree, home)
            warnings = await self._compile(make, home)
            await self._check_unchanged(identity)
            record = self._record(identity, warnings, time.monotonic() - started)
            return await self._publish(make, directory, record)

    def _make(self, tree: Path, home: Path) -> Make:
        log = home / "make.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        return Make(tree, home / "obj", self.toolchain, self.architecture, log, self.spec.jobs)

    async def _compile(self, make: Make, home: Path) -> list[str]:
        """Configure and make everything. Returns warnings about options."""
        make.output.mkdir(exist_ok=True)
        recovery.begin(make.output)
        warnings = await self._configure(make, home)
        config = parse_config((make.output / ".config").read_text())
        await require_for(config, self.toolchain)
        meter = Meter(make.output, config, self.report)
        await make.run("all", on_line=meter.feed)
        meter.save()
        recovery.end(make.output)
        return warnings

    async def _configure(self, make: Make, home: Path) -> list[str]:
        note = home / "config-warnings"
        if is_fresh(self.plan, make.tree, make.output) and note.is_file():
            return note.read_text().splitlines()
        self.report(Progress("kernel config", self.spec.config.base))
        warnings = await configure(self.plan, make, self.architecture)
        write_atomic(note, "".join(f"{warning}\n" for warning in warnings))
        mark_fresh(self.plan, make.output)
        return warnings

    async def _check_unchanged(self, identity: Identity) -> None:
        """Refuse an artifact whose source was edited during the build: its key would be wrong."""
        if self.source.in_place and (await self.source.identify()).key != identity.key:
            raise UserError(
                f"{self.source.name} was changed during the build",
                hint="run the command again: only what changed is compiled",
            )

    def _record(self, identity: Identity, warnings: list[str], seconds: float) -> Mapping[str, Any]:
        return {
            "source": self.source.name,
            "source_key": identity.key,
            "commit": identity.commit,
            "diff_sha256": identity.diff_sha256,
            "patches": [{"name": patch.name, "sha256": patch.sha256} for patch in self.patches],
            "toolchain": dict(self.toolchain.versions),
            "ccache": self.toolchain.ccache is not None,
            "spec": json.loads(self.spec.to_json()),
            "warnings": warnings,
            "seconds": round(seconds, 1),
        }

    async def _publish(self, make: Make, directory: Path, record: Mapping[str, Any]) -> Artifact:
        """Copy the artifact's files out of the build directory, which the next build will change."""
        self.report(Progress(STEP, "packing", fraction=0.99))
        release, image = await make.ask("kernelrelease"), make.output / await make.ask("image_name")
        with published(directory) as temporary:
            config = make.output / ".config"
            names = {
                image.name: image,
                "vmlinux": make.output / "vmlinux",
                "config": config,
                "System.map": make.output / "System.map",
            }
            for name, path in names.items():
                await run(["cp", "--reflink=auto", "--", path, temporary / name], timeout=600)
            has_modules = parse_config(config.read_text()).get("MODULES") == "y"
            modules = (
                await pack_modules(make, release, temporary / "modules.tar", temporary / "root")
                if has_modules
                else None
            )
            artifact = Artifact(
                key=directory.name,
                directory=directory,
                image=directory / image.name,
                release=release,
                build_id=read_build_id(temporary / "vmlinux"),
                config=directory / "config",
                vmlinux=directory / "vmlinux",
                modules=directory / "modules.tar" if modules else None,
                source=make.tree,
                build_directory=make.output,
                record=record,
            )
            artifact.save(temporary)
        return artifact
