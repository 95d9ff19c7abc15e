"""What guests' CPUs are made by, and by how much timeouts stretch for it."""

from __future__ import annotations

from pathlib import Path

from kdevops.progress import Report
from kdevops.providers.acceleration import Acceleration, probe
from kdevops.providers.architecture import architecture
from kdevops.run.places import Places


async def speed_here(
    wanted: str, places: Places, kernel: Path | None, report: Report, *, binary: str | None = None
) -> Acceleration:
    """Of guests that this machine runs: `provider.accel` is `wanted`, and a timed boot of `kernel` tells what that gives.

    `binary` is the QEMU to ask; the default is this machine's own. Raises UserError when KVM is wanted and does not work.
    """
    return await probe(kernel, cache=places.cache, binary=binary or architecture().binary, wanted=wanted, report=report)


def speed_elsewhere(slowness: float) -> Acceleration:
    """Of machines elsewhere: they are taken to be as slow as the lab says, in times."""
    told = f"{slowness:g} times slower than real ones" if slowness > 1 else "real, or accelerated"
    return Acceleration("unknown", f"machines elsewhere are taken to be {told} (provider.slowness)", slowness)
