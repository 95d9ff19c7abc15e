"""Host keys of machines that we did not make."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kdevops.guest import hostkeys

PREFIX = bytes.fromhex("0000000b7373682d65643235353139 00000020")


def key_of(secret: bytes) -> str:
    return "ssh-ed25519 " + base64.b64encode(PREFIX + secret).decode()


KEYS = st.binary(min_size=32, max_size=32).map(key_of)


def block(key: str) -> str:
    rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ root@vm"
    lines = ["-----BEGIN SSH HOST KEY KEYS-----", rsa, f"{key} root@vm", "-----END SSH HOST KEY KEYS-----"]
    return "".join(f"{line}\r\n" for line in lines)


@given(KEYS, st.text(max_size=200), st.text(max_size=200))
def test_the_key_of_the_block_is_found_whatever_stands_around_it(key: str, before: str, after: str) -> None:
    assert hostkeys.told_by(before + block(key) + after) == key


@given(KEYS, KEYS)
def test_the_last_boot_counts(first: str, last: str) -> None:
    assert hostkeys.told_by(block(first) + "Linux version 6.1\n" + block(last)) == last


@given(KEYS, st.data())
def test_no_part_of_a_key_is_a_key(key: str, data: st.DataObject) -> None:
    whole = block(key)
    cut = whole[: data.draw(st.integers(0, len(whole) - 10))]
    assert hostkeys.told_by(cut) == ""
    assert hostkeys.told_by(block(key[: data.draw(st.integers(0, len(key) - 1))])) == ""


@given(st.text())
def test_what_is_no_block_has_no_key(text: str) -> None:
    assert hostkeys.told_by(text) == ""


def test_a_key_outside_of_the_block_is_not_believed() -> None:
    assert hostkeys.told_by(key_of(b"x" * 32)) == ""


def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "k"], check=True)
    public = " ".join((tmp_path / "k.pub").read_text().split()[:2])
    said = subprocess.run(["ssh-keygen", "-l", "-f", tmp_path / "k.pub"], capture_output=True, text=True, check=True)
    assert hostkeys.fingerprint(public) == said.stdout.split()[1]
    assert hostkeys.told_by(block(public)) == public


def test_pins_are_one_a_name_and_can_be_forgotten(tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    first, second = key_of(b"a" * 32), key_of(b"b" * 32)
    assert hostkeys.pinned(known, "lab-1") == ""
    hostkeys.pin(known, "lab-2", first)
    hostkeys.pin(known, "lab-1", first)
    hostkeys.pin(known, "lab-1", second)
    assert known.read_text() == f"lab-1 {second}\nlab-2 {first}\n"
    assert known.stat().st_mode & 0o777 == 0o600
    hostkeys.pin(known, "lab-1", "")
    assert hostkeys.pinned(known, "lab-1") == ""
    assert hostkeys.pinned(known, "lab-2") == first
