"""Run the kernel's make with a fixed environment, so that builds are reproducible."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import CommandError
from kdevops.kernel.diagnose import Diagnosis
from kdevops.kernel.toolchain import Architecture, Toolchain, which
from kdevops.process import Completed, run

_DEADLINE = 12 * 3600.0

# A kernel records who built it and when. Fixed values keep it reproducible and avoid linking it again.
_FIXED = {
    "KBUILD_BUILD_TIMESTAMP": "1970-01-01 00:00:00 UTC",
    "KBUILD_BUILD_USER": "kdevops",
    "KBUILD_BUILD_HOST": "kdevops",
    "KBUILD_BUILD_VERSION": "1",
}
# Variables of the caller that would change the build without changing the artifact's key, or belong to another make.
_CLEARED = (
    "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "KCFLAGS", "KCPPFLAGS", "KAFLAGS", "KBUILD_CFLAGS", "KBUILD_VERBOSE", "LLVM_IAS",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Make:
    """`make -C tree O=output`. All output is appended to `log`."""

    tree: Path
    output: Path
    toolchain: Toolchain
    architecture: Architecture
    log: Path
    jobs: int | None = None

    async def run(self, *words: str, on_line: Callable[[str], None] | None = None) -> Completed:
        """Run make with targets and variable assignments.

        Raises UserError or InfrastructureError with the first error that `Diagnosis` finds.
        """
        diagnosis = Diagnosis(self.tree, self.output)

        def seen(line: str) -> None:
            diagnosis.feed(line)
            if on_line:
                on_line(line)

        jobs = self.jobs or len(os.sched_getaffinity(0))
        # An empty LOCALVERSION keeps the "+" of unreleased commits out of the release.
        fixed = [f"ARCH={self.architecture.arch}", "LOCALVERSION=", f"DEPMOD={which('depmod') or 'depmod'}"]
        argv = [
            "make",
            "-C",
            str(self.tree),
            f"O={self.output}",
            f"-j{jobs}",
            *self.toolchain.make_arguments(),
            *fixed,
            *words,
        ]
        env = {**_FIXED, **dict.fromkeys(_CLEARED, ""), "LC_ALL": "C"}
        try:
            return await run(argv, env=env, timeout=_DEADLINE, on_line=seen, log_to=self.log)
        except CommandError as error:
            raise diagnosis.error(error, self.log) from error

    async def ask(self, target: str) -> str:
        """The last line printed by a silent target such as `kernelrelease`."""
        said = (await self.run("-s", "--no-print-directory", target)).stdout.strip().splitlines()
        return said[-1] if said else ""
