"""The KUnit suites of a built kernel, cached because scanning vmlinux takes a second."""

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
    """The built-in suites, and the suites in modules with the name of their module."""

    builtin: tuple[str, ...]
    modules: Mapping[str, str]


async def suites_of_kernel(kernel: KernelBuild, cache: Path) -> KernelSuites:
    """The kernel's suites, from the cache if possible.

    A kernel without vmlinux has no known built-in suites. Raises UserError for a module that cannot be read, and
    InfrastructureError if the tool to decompress it is missing.
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
