"""QEMU whose guest dies at a place of a test's choosing: `faulty_qemu.py ADDRESS …` is QEMU with the arguments `…`.

The first instruction of the kernel function at ADDRESS becomes an undefined one when it is reached: a real oops of a real kernel,
at the same instruction every time. It is done over QEMU's gdb stub, which speaks the protocol of GDB's manual, appendix E.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path

QEMU = "qemu-system-x86_64"
UD2 = "0f0b"


def main() -> None:
    address, arguments = sys.argv[1], sys.argv[2:]
    if "-kernel" not in arguments:
        os.execvp(QEMU, [QEMU, *arguments])
    path = Path(tempfile.mkdtemp(prefix="fault-")) / "gdb"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    if os.fork():
        listener.close()
        os.execvp(QEMU, [QEMU, *arguments, "-S", "-gdb", f"unix:{path}"])
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # the guest's console is not ours to keep open
        os.dup2(nowhere, descriptor)
    listener.settimeout(30)
    try:
        stub, _ = listener.accept()
    finally:
        path.unlink()
        path.parent.rmdir()
    with stub:
        _inject(stub, address)


def _inject(stub: socket.socket, address: str) -> None:
    """Let the machine run until it reaches `address`, put the fault there, let it run on; until QEMU ends."""
    for command in (f"Z1,{address},1", "c", f"M{address},2:{UD2}", f"z1,{address},1", "c"):
        checksum = sum(command.encode()) % 256
        stub.sendall(f"${command}#{checksum:02x}".encode())
        if not _answer(stub):
            return


def _answer(stub: socket.socket) -> bytes:
    """One packet, acknowledged; b"" when the connection ended."""
    said = b""
    while b"#" not in said[:-2]:
        more = stub.recv(4096)
        if not more:
            return b""
        said += more
    stub.sendall(b"+")
    return said


if __name__ == "__main__":
    main()
