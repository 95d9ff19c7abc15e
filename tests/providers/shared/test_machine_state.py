"""A machine whose kernel ends goes on running, so its end is read from the console."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.providers.shared.machine_state import DeathWatch, MachineState

PANIC = b"[   12.3] Kernel panic - not syncing: sysrq triggered crash\n"


def test_what_is_kept_comes_back_and_rubbish_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "vagrant.json"
    assert MachineState.load(path) is None
    machine = MachineState("shape", "boots", "saved", "192.168.121.7", 22, "kernel", 12, persist=True)
    machine.store(path)
    assert MachineState.load(path) == machine
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text('{"shape": "x", "of another version": 1}')
    assert MachineState.load(path) is None


def test_keys_of_the_file_stay_as_other_versions_wrote_them(tmp_path: Path) -> None:
    path = tmp_path / "machine.json"
    MachineState("shape", "boots", persist=True).store(path)
    facts = json.loads(path.read_text())
    assert facts == {
        "shape": "shape",
        "boots": "boots",
        "saved": "",
        "host": "",
        "port": 0,
        "kernel": "",
        "console": 0,
        "stay": True,
        "spoilt": False,
        "boot_id": "",
        "identity": "",
    }
    for before in (facts, {"shape": "shape", "boots": "boots", "stay": True}):
        path.write_text(json.dumps(before))
        assert MachineState.load(path) == MachineState("shape", "boots", persist=True)


@given(
    st.builds(
        MachineState,
        **{name: st.text() for name in ("shape", "boots", "saved", "host", "kernel", "boot_id", "identity")},
        **{name: st.integers() for name in ("port", "console")},
        **{name: st.booleans() for name in ("persist", "spoilt")},
    )
)
def test_every_state_comes_back(machine: MachineState) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "machine.json"
        machine.store(path)
        assert MachineState.load(path) == machine


@pytest.mark.parametrize("text", ["", "[]", "5", "null", '"shape"', "[1]", '[["shape", "x"]]', '{"stay": true}', "{"])
def test_file_that_holds_something_else_is_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "machine.json"
    path.write_text(text)
    assert MachineState.load(path) is None


def test_only_what_came_after_the_watch_began_is_read(tmp_path: Path) -> None:
    console = tmp_path / "console.log"
    console.write_bytes(PANIC)
    watch = DeathWatch(console, len(PANIC))
    assert watch.alive()
    with console.open("ab") as file:
        file.write(b"[    1.0] all is well\n")
    assert watch.alive()
    with console.open("ab") as file:
        file.write(PANIC)
    assert not watch.alive()
    assert watch.saw_end


@pytest.mark.parametrize(
    "words", [b"sysrq: Resetting", b"reboot: Restarting system", b"reboot: System halted", b"reboot: Power down"]
)
def test_a_kernel_that_ends_is_dead_though_the_machine_runs(tmp_path: Path, words: bytes) -> None:
    console = tmp_path / "console.log"
    console.write_bytes(b"[    9.1] " + words + b"\n")
    assert not DeathWatch(console, 0).alive()


def test_a_machine_without_a_process_is_dead_and_one_without_a_console_is_not(tmp_path: Path) -> None:
    pidfile = tmp_path / "domain.pid"
    pidfile.touch()
    watch = DeathWatch(tmp_path / "none", 0, pidfile)
    assert watch.alive()
    pidfile.unlink()
    assert not watch.alive()
    assert not watch.saw_end
    pidfile.touch()
    assert not watch.alive(), "another machine of that name is not this one"


def test_a_console_that_was_begun_anew_is_read_from_its_start(tmp_path: Path) -> None:
    console = tmp_path / "console.log"
    console.write_bytes(b"x" * 1000)
    watch = DeathWatch(console, 1000)
    assert watch.alive()
    console.write_bytes(PANIC)
    assert not watch.alive()


def test_last_words_before_a_console_was_put_aside_are_heard(tmp_path: Path) -> None:
    console = tmp_path / "console.log"
    console.write_bytes(b"x" * 100)
    watch = DeathWatch(console, 0)
    assert watch.alive()
    with console.open("ab") as file:
        file.write(PANIC[:30])
    console.rename(tmp_path / "console.log.0")
    assert watch.alive(), "there is no console for a moment"
    console.write_bytes(PANIC[30:] + b"y" * 200)
    assert not watch.alive()


@given(st.lists(st.integers(1, 30), max_size=8))
def test_last_words_are_heard_however_they_are_cut(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    console = tmp_path_factory.mktemp("cut") / "console.log"
    console.touch()
    watch = DeathWatch(console, 0)
    rest = PANIC
    with console.open("ab", buffering=0) as file:
        for cut in cuts:
            file.write(rest[:cut])
            rest = rest[cut:]
            watch.alive()
        file.write(rest)
    assert not watch.alive()
