"""The open nesting levels of a KTAP log, outermost first."""

from __future__ import annotations

from dataclasses import replace

from kdevops.suites.ktap.grammar import Announcement, Depth, ResultLine
from kdevops.suites.ktap.level import Level
from kdevops.suites.ktap.tally import UNNAMED, Tally

_ABOVE: Depth = (0, -1)
"""The depth of an implicit top level."""


class Levels:
    """A stack of levels. `announced` is the test that kselftest's runner announced last."""

    def __init__(self, tally: Tally) -> None:
        self.open: list[Level] = []
        self.announced: Announcement | None = None
        self._tally = tally

    def at(self, depth: Depth) -> Level:
        """The level at `depth`, opened if necessary; deeper ones end without their parent's result."""
        while self.open and self.open[-1].depth > depth:
            if len(self.open) == 1:
                self.open.insert(0, Level(depth))
            self.orphan()
        if not self.open or self.open[-1].depth < depth:
            self.open.append(self._opened(depth, self.open[-1] if self.open else None))
        return self.open[-1]

    def _opened(self, depth: Depth, above: Level | None) -> Level:
        level = Level(depth)
        if above and above.next_name:
            level.name, level.titled = above.next_name, True
        elif self.announced and depth[0] == self.announced.depth[0] + 1 and above and above.depth[0] < depth[0]:
            level.name = self.announced.name
        level.announced = bool(level.name)
        return level

    def begin(self, depth: Depth) -> Level:
        """The level at `depth` for a new log; an open named level there lost its result line."""
        level = self.at(depth)
        if level.name and level.count and depth > (0, 0):
            if len(self.open) == 1:
                self.open.insert(0, Level(_ABOVE))
            self.orphan()
            level = self.at(depth)
        level.announced = True
        return level

    def is_nested(self, depth: Depth) -> bool:
        """Whether a level deeper than `depth` is open."""
        return bool(self.open) and self.open[-1].depth > depth

    def take_nested(self, line: ResultLine) -> Level | None:
        """The level that this result line closes; still deeper ones end without a result line."""
        depth = line.depth
        if not self.is_nested(depth):
            return None
        while len(self.open) > 1 and self.open[-2].depth > depth:
            self.orphan()
        nested = self.open.pop()
        above = self.open[-1] if self.open else None
        if above and above.depth == depth and nested.continues(above) and line.number == nested.last + 1:
            above.merge(nested)
            return None
        return nested

    def next_block(self, depth: Depth) -> ResultLine | None:
        """A result line that ended in `{`, at `depth` or deeper, which is closed now; None if there is none."""
        found = next((each for each in reversed(self.open) if each.block and each.depth >= depth), None)
        if found is None or found.block is None:
            return None
        line, found.block = found.block, None
        return replace(line, name=line.name.rstrip("{ ")) if self.is_nested(line.depth) else line

    def in_flight(self) -> list[str]:
        """The names of the levels that wait for their parent's result; the top one only if it is nested itself."""
        top, last = self.open[0], self.open[-1]
        if top.name and (top.depth > (0, 0) or top.missing):
            self.open.insert(0, Level(_ABOVE))
        names = [level.name or UNNAMED for level in self.open[1:]]
        return [*names, last.next_name] if last.next_name and last.missing else names

    def orphan(self) -> None:
        """End the deepest level without its parent's result line."""
        level = self.open.pop()
        if level.continues(self.open[-1]):
            self.open[-1].merge(level)
        else:
            self._tally.orphan(level, self.open[-1])

    def close(self) -> tuple[Level, list[str]]:
        """End of the log: the outermost level, and the names of the unfinished ones."""
        while len(self.open) > 1 and self.open[-1].continues(self.open[-2]):
            self.orphan()
        flight = self.in_flight()
        while len(self.open) > 1:
            self.orphan()
        return self.open[0], flight
