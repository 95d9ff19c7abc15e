"""A Python program that is killed in the middle of its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path


def kill_when(begun: Path, script: str) -> None:
    """Run the script until it has made the file `begun`, then kill it, and nothing that it started, with SIGKILL."""
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline:
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.wait()
