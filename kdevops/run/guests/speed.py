"""The acceleration of guests, and the resulting slowdown of timeouts."""

from __future__ import annotations

from pathlib import Path

from kdevops.progress import Report
from kdevops.providers.acceleration import Acceleration, probe
from kdevops.providers.architecture import architecture
from kdevops.run.dirs import Dirs


async def speed_here(
    wanted: str, dirs: Dirs, kernel: Path | None, report: Report, *, binary: str | None = None
) -> Acceleration:
    """For guests on this machine: a timed boot of `kernel` shows what `wanted` (`provider.accel`) achieves.

    `binary`: the QEMU to use; default: the one of this machine. Raises UserError if KVM is wanted and does not work.
    """
    return await probe(kernel, cache=dirs.cache, binary=binary or architecture().binary, wanted=wanted, report=report)


def speed_elsewhere(slowness: float) -> Acceleration:
    """For machines elsewhere: their slowdown is taken from the lab."""
    told = f"{slowness:g} times slower than real ones" if slowness > 1 else "real or accelerated"
    return Acceleration("unknown", f"machines elsewhere are assumed to be {told} (provider.slowness)", slowness)
