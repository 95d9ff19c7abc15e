"""The keeper with a stand-in for QEMU: any program that speaks on its standard output."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdevops.guest.console import read_since, strip_prefix
from kdevops.providers.qemu import keeper as qemu_keeper
from kdevops.providers.qemu.halt import HaltWatch

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ")


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def start(directory: Path, script: str, *, lifeline: bool = False, limit: int = 1 << 20) -> subprocess.Popen[bytes]:
    config = {
        "argv": [sys.executable, "-c", script],
        "directory": str(directory),
        "console_socket": str(directory / "c.sock"),
        "limit": limit,
        "lifeline": lifeline,
    }
    (directory / "keeper.json").write_text(json.dumps(config))
    return subprocess.Popen(
        [sys.executable, "-ISE", qemu_keeper.__file__, str(directory / "keeper.json")],
        stdin=subprocess.PIPE if lifeline else subprocess.DEVNULL,
    )


def ending(directory: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((directory / "exit.json").read_text())
    return told


def test_console_has_time_stamps_and_no_control_characters(tmp_path: Path) -> None:
    keeper = start(tmp_path, r"print('one\r\ntwo \x1b[31mred\x07'); print('three', end='')")
    assert keeper.wait(20) == 0
    lines = (tmp_path / "console.log").read_text().splitlines()
    assert all(LINE.match(line) for line in lines)
    assert [strip_prefix(line) for line in lines] == ["one", "two [31mred", "three"]
    assert read_since(tmp_path / "console.log", 0) == ["one", "two [31mred", "three"]
    assert ending(tmp_path) == {"returncode": 0, "why": "", "shutdown": "", "guest": None}


def test_exit_code_of_qemu_is_kept(tmp_path: Path) -> None:
    assert start(tmp_path, "import sys; sys.exit(7)").wait(20) == 0
    assert ending(tmp_path)["returncode"] == 7


def test_a_flood_is_bounded_to_two_files(tmp_path: Path) -> None:
    keeper = start(tmp_path, "for n in range(20000): print(n, 'x' * 80)", limit=100_000)
    assert keeper.wait(60) == 0
    files = sorted(path.name for path in tmp_path.glob("console.log*"))
    assert files == ["console.log", "console.log.old"]
    assert sum(path.stat().st_size for path in tmp_path.glob("console.log*")) < 500_000
    assert "19999" in (tmp_path / "console.log").read_text() + (tmp_path / "console.log.old").read_text()


def test_closing_the_lifeline_ends_qemu(tmp_path: Path) -> None:
    keeper = start(tmp_path, "import os, time; print(os.getpid(), flush=True); time.sleep(600)", lifeline=True)
    log = tmp_path / "console.log"
    wait_until(lambda: log.exists() and log.stat().st_size)
    pid = int(read_since(log, 0)[0])
    assert keeper.stdin
    keeper.stdin.close()
    assert keeper.wait(20) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_qemu_dies_with_its_keeper(tmp_path: Path, how: signal.Signals) -> None:
    keeper = start(tmp_path, "import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    log = tmp_path / "console.log"
    wait_until(lambda: log.exists() and log.stat().st_size)
    pid = int(read_since(log, 0)[0])
    keeper.send_signal(how)
    keeper.wait(20)
    wait_until(lambda: not _running(pid))


def test_console_socket_carries_both_ways(tmp_path: Path) -> None:
    keeper = start(tmp_path, "print('hello', flush=True); print('got', input(), flush=True)")
    log = tmp_path / "console.log"
    wait_until(lambda: log.exists() and log.read_bytes().endswith(b"hello\n"))  # the line's end may come by itself
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "c.sock"))
        client.sendall(b"typed\n")
        client.settimeout(20)
        said = b""
        while not said.endswith(b"\n"):
            said += client.recv(100)
        assert said == b"got typed\n"
    assert keeper.wait(20) == 0
    assert not (tmp_path / "c.sock").exists()


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ("[    9.876543] reboot: System halted\r\n", True),
        ("[    9.876543][  T123] reboot: Power off not available: System halted instead\n", True),
        ("reboot: System halted\n", True),  # without CONFIG_PRINTK_TIME
        ("[    9.876543] reboot: Restarting system\n", False),  # QEMU ends by itself
        ("a test says: reboot: System halted\n", False),
        ("[    9.876543] reboot: System halted, said the test\n", False),
    ],
)
def test_a_halted_machine_is_ended_however_its_words_arrive(said: str, ends: bool) -> None:
    data = b"[    1.000000] before\n" + said.encode() + b"after\n"
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        watch = HaltWatch()
        assert any(watch.halted(piece) for piece in pieces) is ends


def test_a_machine_that_halts_does_not_run_on(tmp_path: Path) -> None:
    keeper = start(tmp_path, "import time; print('[ 9.87] reboot: System halted', flush=True); time.sleep(600)")
    assert keeper.wait(20) == 0
    assert ending(tmp_path) == {"returncode": -signal.SIGKILL, "why": "halted", "shutdown": "", "guest": None}
    assert read_since(tmp_path / "console.log", 0) == ["[ 9.87] reboot: System halted"]


def test_a_second_keeper_of_the_same_guest_is_refused(tmp_path: Path) -> None:
    keeper = start(tmp_path, "print('up', flush=True); input()")
    wait_until((tmp_path / "console.log").exists)
    assert start(tmp_path, "print('other')").wait(20) == 1
    keeper.terminate()
    keeper.wait(20)


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
