"""The YAML blocks that TAP 13 and 14 allow below a result line. Nothing inside a block is a result."""

from __future__ import annotations

import re

from kdevops.suites.ktap.grammar import Depth, Diagnostic, Header, Line, ResultLine, Version


class YamlBlocks:
    """Tracks whether a block is open.

    A block opens with `---` right below a result line, indented by two more columns, and closes with `...`. So that an
    unclosed block hides nothing, a line with less indentation, or KTAP in the block's first column, also closes it.
    KTAP itself has no such blocks.
    """

    def __init__(self) -> None:
        self._allowed = True
        self._result: Depth | None = None
        self._block: Depth | None = None

    @property
    def waiting(self) -> bool:
        """Whether the next line matters, whatever it contains."""
        return self._result is not None or self._block is not None

    def swallows(self, text: str, line: Line | None) -> bool:
        """Whether `text`, parsed as `line`, belongs to a block."""
        if self._block is not None:
            if self._inside(self._block, text, line):
                return True
            self._block = None
        if self._allowed and self._result is not None and text.endswith("---"):
            begin = (self._result[0], self._result[1] + 2)
            if _column(text, begin[0]) == begin[1] and text.lstrip(" \t#") == "---":
                self._result, self._block = None, begin
                return True
        self._result = line.depth if isinstance(line, ResultLine) else None
        if isinstance(line, Version):
            self._allowed = not line.text.startswith("KTAP")
        return False

    def _inside(self, block: Depth, text: str, line: Line | None) -> bool:
        if not text.strip():
            return True
        column = _column(text, block[0])
        if column > block[1]:
            return not isinstance(line, Version | Header)
        if column < block[1] or not (line is None or isinstance(line, Diagnostic)):
            return False
        if text.rstrip().endswith("..."):
            self._block = None
        return True


def _column(text: str, hashes: int) -> int:
    """The column of a line's first character after `hashes` times `# ` of kselftest's runner; -1 if it has fewer."""
    match = re.match(rf"(?:[ \t]*# ){{{hashes}}}[ \t]*", text)
    return len(match[0].expandtabs()) if match else -1
