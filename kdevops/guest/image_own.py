"""What we add to Debian: init, the seed's reader, ssh settings, and silence where systemd would work at times of its own."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

_DATA = Path(__file__).parent / "data"
_FILES = {
    "usr/sbin/kdevops-init": "init",
    "usr/lib/kdevops/seed.sh": "seed.sh",
    "usr/lib/kdevops/seed-unit": "seed-unit",
    "usr/lib/kdevops/power": "power",
    "etc/ssh/sshd_config.d/kdevops.conf": "sshd.conf",
}
_UNIT = "kdevops-seed.service"
_EXECUTABLE = {"init", "power", "seed-unit"}
_POWER = ("halt", "poweroff", "reboot", "shutdown")
# Work at times of its own is noise in a test; a login prompt is noise on the console.
_MASKED = (
    "apt-daily-upgrade.timer", "apt-daily.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "getty@tty1.service", "serial-getty@.service", "systemd-timesyncd.service",
)  # fmt: skip


def own_files(*, systemd: bool) -> bytes:
    """A tar archive of what we add to Debian, to be unpacked over it; the same bytes every time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, source in _FILES.items():
            _add(archive, name, (_DATA / source).read_bytes(), 0o755 if source in _EXECUTABLE else 0o644)
        if systemd:
            _add_systemd(archive)
        else:
            for name in _POWER:
                _link(archive, f"usr/sbin/{name}", "../lib/kdevops/power")
    return buffer.getvalue()


def _add_systemd(archive: tarfile.TarFile) -> None:
    _add(archive, f"usr/lib/systemd/system/{_UNIT}", (_DATA / _UNIT).read_bytes(), 0o644)
    _link(archive, f"etc/systemd/system/sysinit.target.wants/{_UNIT}", f"/usr/lib/systemd/system/{_UNIT}")
    # Interfaces keep the kernel's names: a rename would race with the seed's network.
    _link(archive, "etc/systemd/network/99-default.link", "/dev/null")
    for name in _MASKED:
        _link(archive, f"etc/systemd/system/{name}", "/dev/null")


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
    archive.addfile(entry)
