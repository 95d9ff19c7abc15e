"""Whether KVM works here, tested by a boot with a deadline.

Opening the device proves nothing: on some machines (for example with nested virtualisation in software) `/dev/kvm`
answers every call, but guests hang in their first instructions.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import CommandTimeout, UserError
from kdevops.files import write_atomic
from kdevops.process import run
from kdevops.progress import Progress, Report, silent
from kdevops.providers.architecture import architecture

_KVM = Path("/dev/kvm")
_KVM_DEADLINE = 12.0
"""Seconds; a kernel that really runs under KVM prints its first line in well under one."""
_TCG_DEADLINE = 120.0
_ACCELERATED_SECONDS = 0.5
"""Duration of the probe's boot on a current machine with KVM; an emulated one's slowdown is its ratio to this."""
_SLOWDOWN_RANGE = (8.0, 40.0)
_GREETING = "Linux version"


@dataclass(frozen=True, slots=True)
class Acceleration:
    """`kind` is "kvm", "tcg" or "unknown" (for machines elsewhere); `why` is the reason in a sentence, `slowdown`
    multiplies timeouts. It is called "factor" in the cached record.
    """

    kind: str
    why: str
    slowdown: float

    def arguments(self) -> tuple[str, ...]:
        """QEMU's options for it."""
        if self.kind == "kvm":
            return ("-accel", "kvm", "-cpu", "host")
        return ("-accel", "tcg,thread=multi", "-cpu", "max")


async def probe(
    kernel: Path | None,
    *,
    cache: Path,
    binary: str = "qemu-system-x86_64",
    wanted: str = "auto",
    report: Report = silent,
) -> Acceleration:
    """Test by a timed boot of `kernel`, which only has to print something and may panic (no root needed); the answer is
    cached.

    Without a kernel, returns the cached answer, or "tcg" with a `why` that says it is untested. Raises UserError if
    `wanted` is "kvm" and KVM does not work.
    """
    accel = await _probe(kernel, cache, binary, wanted, report)
    if wanted == "kvm" and accel.kind != "kvm":
        raise UserError(f"provider.accel is kvm, but {accel.why}", hint="use accel: auto, or fix KVM on this machine")
    return accel


async def _probe(kernel: Path | None, cache: Path, binary: str, wanted: str, report: Report) -> Acceleration:
    obstacle = "provider.accel is tcg" if wanted == "tcg" else _obstacle()
    record = cache / "acceleration" / f"{await _identity(binary, obstacle)}.json"
    try:
        known = json.loads(record.read_text())
        return Acceleration(known["kind"], known["why"], known["factor"])
    except (OSError, ValueError, TypeError, KeyError):
        pass
    if kernel is None:
        why = obstacle or "KVM is untested (the test needs a kernel, so the first run does it)"
        return Acceleration("tcg", why, _SLOWDOWN_RANGE[0])
    report(Progress("acceleration", "testing KVM with a timed boot"))
    if obstacle is None:
        obstacle = await _trouble_with_kvm(binary, kernel)
    if obstacle is None:
        accel = Acceleration("kvm", "a kernel booted with KVM", 1.0)
    else:
        seconds, _ = await _boot(binary, kernel, Acceleration("tcg", obstacle, 1.0), _TCG_DEADLINE)
        if seconds is None:
            return Acceleration("tcg", obstacle, _SLOWDOWN_RANGE[1])  # not cached: this kernel may be the one at fault
        low, high = _SLOWDOWN_RANGE
        accel = Acceleration("tcg", obstacle, round(min(high, max(low, seconds / _ACCELERATED_SECONDS)), 1))
    write_atomic(record, json.dumps({"kind": accel.kind, "why": accel.why, "factor": accel.slowdown}))
    report(Progress("acceleration", f"{accel.kind}: {accel.why}", done=True))
    return accel


async def _trouble_with_kvm(binary: str, kernel: Path) -> str | None:
    seconds, complaint = await _boot(binary, kernel, Acceleration("kvm", "", 1.0), _KVM_DEADLINE)
    if seconds is not None:
        return None
    if complaint:
        return f"KVM opens, but QEMU fails with it ({complaint})"
    return f"KVM opens, but a kernel booted with it printed nothing within {_KVM_DEADLINE:g} s"


def _obstacle() -> str | None:
    if not _KVM.exists():
        return "there is no /dev/kvm"
    if not os.access(_KVM, os.R_OK | os.W_OK):
        return "this user may not open /dev/kvm (join the group kvm: sudo usermod -aG kvm $USER, then log in again)"
    return None


async def _identity(binary: str, obstacle: str | None) -> str:
    version = (await run([binary, "--version"], timeout=30)).stdout
    facts = [version, platform.release(), platform.node(), obstacle or ""]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


async def _boot(binary: str, kernel: Path, accel: Acceleration, deadline: float) -> tuple[float | None, str]:
    """Seconds until the kernel gave up without a root, None if it printed nothing; and QEMU's first error message."""
    arch = architecture()
    argv = [
        *(binary, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-machine", arch.machine, *accel.arguments(), "-m", "512M", "-serial", "stdio"),
        *("-kernel", str(kernel), "-append", f"console={arch.serial} panic=-1"),
    ]
    heard = False

    def listen(line: str) -> None:
        nonlocal heard
        heard = heard or _GREETING in line

    started = time.monotonic()
    try:
        done = await run(argv, timeout=deadline, check=False, on_line=listen)
    except CommandTimeout:
        return (deadline if heard else None), ""
    return (time.monotonic() - started if heard else None), "".join(done.stderr.strip().splitlines()[:1])
