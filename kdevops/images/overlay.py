"""Files that we add to Debian: init, the seed reader, ssh settings, and masks for systemd's timers."""

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
    "usr/lib/kdevops/dmsetup": "dmsetup",
    "etc/ssh/sshd_config.d/kdevops.conf": "sshd.conf",
}
_UNIT = "kdevops-seed.service"
_EXECUTABLE = {"dmsetup", "init", "power", "seed-unit"}
_POWER = ("halt", "poweroff", "reboot", "shutdown")
# Background jobs disturb tests; a login prompt is noise on the console.
MASKED = (
    "apt-daily-upgrade.timer", "apt-daily.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "getty@tty1.service", "serial-getty@.service", "systemd-timesyncd.service",
)  # fmt: skip


def own_files(*, systemd: bool) -> bytes:
    """A reproducible tar archive of our files, to unpack over Debian."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, source in _FILES.items():
            add_file(archive, name, (_DATA / source).read_bytes(), 0o755 if source in _EXECUTABLE else 0o644)
        if systemd:
            _add_systemd(archive)
        else:
            for name in _POWER:
                add_link(archive, f"usr/sbin/{name}", "../lib/kdevops/power")
    return buffer.getvalue()


def _add_systemd(archive: tarfile.TarFile) -> None:
    add_file(archive, f"usr/lib/systemd/system/{_UNIT}", (_DATA / _UNIT).read_bytes(), 0o644)
    add_link(archive, f"etc/systemd/system/sysinit.target.wants/{_UNIT}", f"/usr/lib/systemd/system/{_UNIT}")
    # Keep the kernel's interface names: a rename would race with the seed's network setup.
    add_link(archive, "etc/systemd/network/99-default.link", "/dev/null")
    for name in MASKED:
        add_link(archive, f"etc/systemd/system/{name}", "/dev/null")


def add_file(archive: tarfile.TarFile, name: str, content: bytes, mode: int, *, owner: int = 0) -> None:
    """Add a file with user and group `owner` and time 0, so that the archive is reproducible."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.uid, entry.gid = len(content), mode, owner, owner
    archive.addfile(entry, io.BytesIO(content))


def add_link(archive: tarfile.TarFile, name: str, target: str) -> None:
    """Add a symbolic link."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
    archive.addfile(entry)
