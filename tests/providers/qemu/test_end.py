"""Whose doing the end of a QEMU was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.providers.qemu.end import Ending, from_outside, read_ending

SIGNALLED = "qemu-system-x86_64: terminating on signal 15 from pid 29113 (systemd-oomd)"


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (Ending(0, shutdown="guest-reset", guest=True), ""),
        (Ending(0, shutdown="guest-shutdown", guest=True), ""),
        (Ending(-9, shutdown="guest-reset", guest=True), ""),  # killed while it was ending
        (Ending(-9, why="halted"), ""),
        (Ending(0), ""),  # an older keeper's guest: QEMU ended, and nobody killed it
        (Ending(-9), "QEMU was killed by SIGKILL (out of memory?)"),
        (Ending(-7, complaint="x\nbus error"), "QEMU was killed by SIGBUS: bus error"),
        (Ending(1, complaint="qemu: cannot allocate memory"), "QEMU failed: qemu: cannot allocate memory"),
        (Ending(1), "QEMU failed: failed with exit code 1"),
        (Ending(0, shutdown="host-signal", guest=False, complaint=SIGNALLED), f"QEMU was told to end: {SIGNALLED}"),
        (Ending(0, complaint=SIGNALLED), f"QEMU was told to end: {SIGNALLED}"),
        (Ending(0, shutdown="host-qmp-quit", guest=False), "QEMU was told to end (host-qmp-quit)"),
        (Ending(0, shutdown="host-error", guest=False), "QEMU was told to end (host-error)"),
        (Ending(-9, why="terminated"), "QEMU was ended by its keeper (terminated)"),
        (Ending(None), "the process that keeps QEMU was killed"),
    ],
)
def test_an_end_is_the_guest_s_own_or_has_a_reason(ending: Ending, reason: str) -> None:
    assert from_outside(ending) == reason


def test_what_the_keeper_noted_is_read(tmp_path: Path) -> None:
    note = tmp_path / "exit.json"
    note.write_text(json.dumps({"returncode": -9, "why": "halted", "shutdown": "x", "guest": True}))
    assert read_ending(note, "said") == Ending(-9, "halted", "x", True, "said")
    note.write_text('{"returncode": 3}')
    assert read_ending(note, "") == Ending(3)


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_other_note_is_none(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    note = tmp_path_factory.getbasetemp() / "exit.json"
    note.write_text(text, errors="replace")
    assert read_ending(note, "").returncode is None
