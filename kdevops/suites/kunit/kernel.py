"""Which KUnit suites a built kernel has, read from it once: looking through vmlinux takes a second."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from kdevops.files import write_atomic
from kdevops.suites.base import KernelBuild
from kdevops.suites.kunit.elf import suites_builtin
from kdevops.suites.kunit.modules_tar import modules_with_suites

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class KernelSuites:
    """The suites that are built in, and those in modules by the module that each is in."""

    builtin: tuple[str, ...]
    modules: Mapping[str, str]


async def suites_of_kernel(kernel: KernelBuild, cache: Path) -> KernelSuites:
    """Read the kernel's suites, or what was read of the same kernel before.

    Nothing is known to be built into a kernel without vmlinux. Raises UserError for a module that cannot be read, and
    InfrastructureError where what unpacks it is missing.
    """
    note = cache / "kunit" / f"{kernel.key}-{_FORMAT}.json"
    try:
        kept = json.loads(note.read_text())
        return KernelSuites(tuple(kept["builtin"]), dict(kept["modules"]))
    except (OSError, ValueError, KeyError, TypeError):
        builtin = suites_builtin(kernel.vmlinux) if kernel.vmlinux else ()
        found = KernelSuites(builtin, await modules_with_suites(kernel.modules))
    write_atomic(note, json.dumps(asdict(found)))
    return found
