"""Read a crashed kernel's last messages from pstore: the oops of a machine without a console."""

from __future__ import annotations

import re

from kdevops.errors import InfrastructureError
from kdevops.guest.ssh import SshTarget
from kdevops.text import clean

MAX_FILE = 256 << 10
MAX_ALL = 2 << 20
_MARK = "kdevops-pstore"
# systemd-pstore.service moves them away first; those from this boot are what it found at its start.
_READ = f"""
minutes=$(($(cut -d. -f1 /proc/uptime) / 60 + 2))
{{
    find /sys/fs/pstore -maxdepth 1 -type f
    find /var/lib/systemd/pstore -type f -mmin "-$minutes"
}} 2>/dev/null | head -n 200 | while read -r file; do
    echo "{_MARK} $file"
    head -c {MAX_FILE} "$file"
    echo
done | head -c {MAX_ALL}
"""
_REMOVE = "find /sys/fs/pstore -maxdepth 1 -type f -delete"
_LEVEL = re.compile(r"^<\d{1,3}>")
# fs/pstore/platform.c: "Panic#1 Part2"; the first part is the end of the log.
_PART = re.compile(r"^(?:Panic|Oops|Emergency|Shutdown|Unknown)#(\d{1,6}) Part(\d{1,4})$")


async def take(ssh: SshTarget, *, timeout: float) -> str:
    """The kernel logs of crashes in earlier boots, cleaned; they are then removed from pstore.

    Raises InfrastructureError.
    """
    found = await ssh.run(["sh", "-c", _READ], timeout=timeout, check=False)
    text = joined(found.stdout)
    if text:
        await ssh.run(["sh", "-c", _REMOVE], timeout=timeout, check=False)
    return text


def joined(told: str) -> str:
    """The logs in the kernel's order, without levels and headings."""
    records = []
    for number, record in enumerate(told.split(f"{_MARK} ")[1:]):
        name, _, body = record.partition("\n")
        if name.endswith(".z") or "dmesg" not in name.rpartition("/")[2]:
            continue  # compressed with an algorithm that this kernel lacks, or not a log
        lines = body.strip("\n").splitlines()
        part = _PART.match(lines[0]) if lines else None
        order = (int(part[1]), -int(part[2])) if part else (0, 0)
        kept = [clean(_LEVEL.sub("", line), 1024) for line in (lines[1:] if part else lines)]
        records.append((order, number, kept))
    return "".join(f"{line}\n" for _, _, kept in sorted(records) for line in kept)


async def last_words(ssh: SshTarget, *, timeout: float) -> str:
    """As `take`, but empty if the machine cannot be asked."""
    try:
        return await take(ssh, timeout=timeout)
    except InfrastructureError:
        return ""
