"""What ends the program from outside."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# A command that takes long, and has something to put in order.
_LONG = """
import asyncio, signal, sys
import kdevops.__main__ as entry
if "ignored" in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
async def work():
    try:
        print("begun", flush=True)  # within: it may be ended at once
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.01)
        print("in order", flush=True)
entry._run = lambda arguments, context: asyncio.run(work())
sys.exit(entry.main([]))
"""


@pytest.mark.parametrize(
    ("number", "words", "code"),
    [
        (signal.SIGINT, (), 130),
        (signal.SIGTERM, (), 143),
        (signal.SIGTERM, ("ignored",), 143),
    ],
)
def test_whoever_ends_it_has_it_put_things_in_order(number: int, words: tuple[str, ...], code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _LONG, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, stderr) == (code, "in order\n", "interrupted\n")


_ASKS_TO_END = """
import asyncio, signal, sys
import kdevops.__main__ as entry
from kdevops.process import run
signal.signal(signal.SIGINT, signal.SIG_IGN)
script = "trap 'echo asked; exit' INT; echo begun; while :; do sleep 0.1; done"
async def work():
    signal.raise_signal(signal.SIGINT)  # of the whole terminal, none of ours
    try:
        await run(["sh", "-c", script], timeout=2, interrupt_grace=30, on_line=lambda line: print(line, flush=True))
    except entry.KdevopsError as error:
        print(error.message)
    return 0
entry._run = lambda arguments, context: asyncio.run(work())
sys.exit(entry.main([]))
"""


def test_commands_are_asked_to_end_also_by_one_in_the_background() -> None:
    done = subprocess.run([sys.executable, "-c", _ASKS_TO_END], capture_output=True, text=True, timeout=60, check=False)
    begun, asked, *_ = done.stdout.splitlines()
    assert (begun, asked, done.returncode) == ("begun", "asked", 0), done.stderr
