"""Which lines of a kernel log belong to which KUnit suite."""

from __future__ import annotations

from collections.abc import Sequence

from kdevops.guest import printk
from kdevops.results.model import TestId
from kdevops.suites.ktap.grammar import Header, ResultLine, Version, read

_TOP = (0, 0)


def divide(log: Sequence[str], planned: Sequence[TestId]) -> list[tuple[TestId | None, Sequence[str]]]:
    """The log cut into parts, in order, each with the suite that was running; None for lines outside of suites.

    A suite's part ends with its result line, and begins where the previous one ends. What follows the last result
    belongs to the suite whose header started it: the kernel died in it.
    """
    names = {test.name: test for test in planned}
    parts: list[tuple[TestId | None, Sequence[str]]] = []
    begin: int | None = None
    begun: TestId | None = None
    cut = 0
    for number, text in enumerate(log):
        line = read(printk.message(text))
        if isinstance(line, Version | Header) and begin is None:
            begin = number
        if isinstance(line, Header):
            begun = begun or names.get(line.name)
        elif isinstance(line, ResultLine) and line.depth == _TOP and begin is not None:
            parts += [(None, log[cut:begin]), (names.get(line.name), log[begin : number + 1])]
            begin = cut = number + 1
            begun = None
    parts.append((begun, log[cut:]))
    return [(test, lines) for test, lines in parts if lines]
