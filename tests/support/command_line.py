"""The command line as its users have it: a process of its own, with a state directory of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
RUN_SECONDS = 1200


@dataclass
class Answer:
    """What a command answered."""

    code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        return json.loads(self.stdout)

    def statuses(self) -> dict[str, str]:
        return {each["name"]: each["status"] for each in self.data["tests"]}


@dataclass
class Kdevops:
    """The command `kdevops` with a state directory of its own, and what its environment has beside ours."""

    state: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "kdevops", *map(str, arguments)]
        environment = {**os.environ, **self.environment, "KDEVOPS_STATE": str(self.state), "NO_COLOR": "1"}
        process = subprocess.Popen(
            argv, cwd=cwd or REPOSITORY, env=environment, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self.started.append(process)
        return process

    def __call__(
        self, *arguments: str | Path, timeout: float = RUN_SECONDS, cwd: Path | None = None, check: int | None = None
    ) -> Answer:
        process = self.start(*arguments, cwd=cwd)
        stdout, stderr = process.communicate(timeout=timeout)
        answer = Answer(process.returncode, stdout, stderr)
        assert "Traceback" not in stderr, stderr
        if check is not None:
            assert answer.code == check, f"{arguments} answered {answer.code}\n{stderr[-4000:]}\n{stdout[-2000:]}"
        return answer

    def clean_up(self) -> None:
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        wait_until(lambda: not guests_of(self.state), "guests outlived the test's commands", seconds=60)


def guests_of(state: Path) -> list[str]:
    """The QEMU processes whose guests belong to a state directory."""
    found = subprocess.run(["pgrep", "-af", str(state)], capture_output=True, text=True, check=False).stdout
    return [line for line in found.splitlines() if "qemu" in line and "pgrep" not in line]


def wait_until(condition: Callable[[], object], message: str, *, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, message
        time.sleep(0.2)
