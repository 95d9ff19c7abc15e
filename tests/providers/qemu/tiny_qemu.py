"""A real QEMU that boots 512 bytes of our own in a moment instead of a kernel."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kdevops.guest.console import read_since
from kdevops.providers.qemu import qmp
from kdevops.providers.qemu.attach import send_console
from kdevops.providers.qemu.command_line import DiskFile, _disk
from kdevops.providers.qemu.process import QemuProcess

needs_qemu = pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="qemu-system-x86_64 is needed")

# Writes sectors 64 to 2047 of its disk by the BIOS, 64 at a time, and says of each write on the serial port W when it
# succeeded and E when not; then a line end, and resets the machine by port 0xcf9. Assembled by as --32 of:
#         xorw %ax,%ax; movw %ax,%ds; cld
#   next: movb $0x43,%ah; xorb %al,%al; movw $(0x7c00+dap),%si; int $0x13; movb $'W',%al; jnc say; movb $'E',%al
#   say:  movw $0x3f8,%dx; outb %al,%dx; movb $0x80,%dl; addw $64,(0x7c00+lba); cmpw $2048,(0x7c00+lba); jb next
#         movb $'\n',%al; movw $0x3f8,%dx; outb %al,%dx; movb $6,%al; movw $0xcf9,%dx; outb %al,%dx; halt: jmp halt
#         .p2align 2; dap: .byte 0x10,0; .word 64; .word 0; .word 0x1000; lba: .quad 64
WRITER = bytes.fromhex(
    "31c08ed8fcb44330c0be387ccd13b0577302b045baf803eeb2808306407c40813e407c000872deb00a"
    "baf803eeb006baf90ceeebfe8d7400100040000000001040000000000000"
)
ALL_WRITTEN = "W" * 31
# Says I on the serial port, and then for ever what it is told there:
#         movw $0x3f8,%dx; movb $'I',%al; outb %al,%dx
#   loop: movw $0x3fd,%dx; inb %dx,%al; testb $1,%al; jz loop; movw $0x3f8,%dx; inb %dx,%al; outb %al,%dx; jmp loop
ECHO = bytes.fromhex("baf803b049eebafd03eca80174f8baf803eceeebf1")


@dataclass(frozen=True)
class TinyGuest:
    process: QemuProcess

    @property
    def keeper(self) -> int:
        return self.process.pid() or 0

    @property
    def qemu(self) -> int:
        """The keeper's only child."""
        return int(Path(f"/proc/{self.keeper}/task/{self.keeper}/children").read_text().split()[0])

    def said(self) -> str:
        return "\n".join(read_since(self.process.console, 0))

    def ended(self) -> bool:
        return self.process.pid() is None and self.process.ended()

    def held(self) -> str:
        return asyncio.run(self.process.held())

    def why_ended(self) -> str:
        return asyncio.run(self.process.ended_from_outside())

    def type(self, text: str) -> None:
        asyncio.run(send_console(self.process.socket("console"), text))

    def tell(self, command: str) -> object:
        return asyncio.run(qmp.execute(self.process.socket("qmp"), command))


def make_disk(path: Path, code: bytes) -> Path:
    """A sparse disk that boots `code`."""
    path.write_bytes(code.ljust(510, b"\0") + b"\x55\xaa")
    os.truncate(path, 2 << 20)
    return path


def command(process: QemuProcess, disk: Path) -> list[str]:
    """QEMU's argv, with what a guest's has to do with disks, console and monitor."""
    return [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-machine", "q35,i8042=off", "-accel", "tcg", "-m", "32M"),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *("-qmp", f"unix:{process.socket('qmp')},server=on,wait=off"),
        *_disk(0, DiskFile(disk, "kd-root")),
    ]


@contextmanager
def tiny_guest(directory: Path, code: bytes, disk: Path | None = None, *, errors: str = "") -> Iterator[TinyGuest]:
    """A guest that runs `code` from the beginning of `disk`, which fails as `errors`, a configuration of blkdebug, says."""
    directory.mkdir(exist_ok=True)
    disk = make_disk(disk or directory / "disk.raw", code)
    if errors:
        (directory / "errors").write_text(errors)
        disk = Path(f"blkdebug:{directory}/errors:{disk}")
    process = QemuProcess(directory)
    process.start(command(process, disk), {"port": 1}, persist=False)
    try:
        yield TinyGuest(process)
    finally:
        asyncio.run(process.stop())


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Callable[[str], Any]]:
    """Mount a file system of this size on `directory`; what comes back changes the size."""

    def mount(*options: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["mount", *options, str(directory)], capture_output=True, check=False)

    directory.mkdir()
    done = mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs")
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield lambda size: mount("-o", f"remount,size={size}")
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
