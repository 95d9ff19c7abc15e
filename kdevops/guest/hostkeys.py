"""Host keys of machines that we did not create: how we learn and pin them."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from kdevops.errors import CommandError, InfrastructureError
from kdevops.files import write_atomic
from kdevops.process import run

# RFC 8709: "ssh-ed25519" and 32 bytes, each with its length before it; so 51 bytes, of which the first 19 are always the same.
_KEY = re.compile(r"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}(?![A-Za-z0-9+/=])")
# cloud-init's tools/write-ssh-key-fingerprints prints the keys between these lines, at the end of the first boot.
_BEGIN, _END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"
_SCAN = 20


def told_by(console: str) -> str:
    """The ed25519 host key that cloud-init prints on the console, as "ssh-ed25519 AAAA…"; "" if missing or incomplete.

    After several boots, the last one counts.
    """
    for block in reversed(console.split(_BEGIN)[1:]):
        keys, end, _ = block.partition(_END)
        if end and (found := _KEY.search(keys)):
            return found[0]
    return ""


def fingerprint(key: str) -> str:
    """The fingerprint of a key as shown by ssh-keygen -l and cloud-init: SHA256:…"""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def pinned(known_hosts: Path, name: str) -> str:
    """The host key pinned for `name`; "" if none."""
    return _pins(known_hosts).get(name, "")


def pin(known_hosts: Path, name: str, key: str) -> None:
    """Pin `key` for `name`, replacing any other; an empty key removes the pin."""
    pins = _pins(known_hosts)
    if pins.get(name, "") == key:
        return
    pins = {**pins, name: key}
    lines = [f"{each} {known}\n" for each, known in sorted(pins.items()) if known]
    write_atomic(known_hosts, "".join(lines), mode=0o600)


async def shown_by(host: str, port: int, *, timeout: float) -> str:
    """The ed25519 host key that a machine offers. Raises InfrastructureError if it offers none."""
    wait = max(1, min(_SCAN, int(timeout)))
    argv = ["ssh-keyscan", "-T", str(wait), "-t", "ed25519", "-p", str(port), "--", host]
    try:
        done = await run(argv, timeout=timeout + wait, check=False)
    except CommandError as error:
        raise InfrastructureError(
            f"cannot get the host key of {host} port {port}: {error.message}", hint=error.hint
        ) from None
    if found := _KEY.search(done.stdout):
        return found[0]
    raise InfrastructureError(
        f"{host} port {port} offers no ed25519 host key",
        hint="create one on that machine as root with ssh-keygen -A, then restart its sshd",
    )


def _pins(known_hosts: Path) -> dict[str, str]:
    try:
        lines = known_hosts.read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {name: key for name, _, key in (line.partition(" ") for line in lines) if key}
