"""Explain why Kconfig dropped a requested option, by reading just enough of the tree's Kconfig files.

We follow `source`, `if` and `menu` with their dependencies, and `depends on`; expressions are shown, not evaluated.
Format: Documentation/kbuild/kconfig-language.rst of every kernel tree.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

_ENTRY = re.compile(r"(?:menu)?config\s+(\w+)")
_DEPENDS = re.compile(r"depends\s+on\s+(.+)")
_PROMPT = re.compile(r"(?:bool|tristate|int|hex|string|prompt)\s+[\"']")
_SOURCE = re.compile(r"(?P<kind>o?r?source)\s+\"(?P<path>[^\"]+)\"")
_NEGATED_GROUP = re.compile(r"!\s*\([^()]*\)")
_NAME = re.compile(r"(!?)\s*\(?\b([A-Za-z_]\w*)\b")
_BLOCK = re.compile(r"(?:menu|choice)\b.*|if\s+(?P<condition>.+)")
_BLOCK_ENDS = {"endif", "endmenu", "endchoice"}
_MAX_DEPTH = 50  # of files that source each other; the kernel has 8


@dataclass
class Symbol:
    """A symbol of the tree: whether a user can set it, and all expressions it depends on."""

    prompt: bool = False
    depends: list[str] = field(default_factory=list)


def find_symbols(tree: Path, wanted: Collection[str], source_arch: str) -> dict[str, Symbol]:
    """Those of `wanted` that the tree defines for this architecture (the directory below arch/)."""
    reader = _Reader(tree, set(wanted), source_arch)
    reader.read(tree / "Kconfig", [])
    return reader.found


def reason(symbol: Symbol | None, config: Mapping[str, str]) -> str:
    """Why a symbol does not have the requested value, given the resulting configuration."""
    if symbol is None:
        return "no such symbol in this tree"
    if symbol.depends:
        expression = " && ".join(f"({one})" if "||" in one else one for one in symbol.depends)
        off: list[str] = []
        on: list[str] = []
        for negated, name in _NAME.findall(
            _NEGATED_GROUP.sub(lambda group: group[0].replace("||", "|| !"), expression)
        ):
            enabled = config.get(name, "n") != "n"
            if name not in {"y", "n", "m"} and enabled == bool(negated):
                (on if enabled else off).append(name)
        if off or on:
            state = [f"{', '.join(dict.fromkeys(names))} {word}" for names, word in ((off, "off"), (on, "on")) if names]
            return f"depends on {expression}; {' and '.join(state)} in the resulting configuration"
    if not symbol.prompt:
        return "it cannot be set directly: only other options select it"
    return "another option selects or excludes it"


class _Reader:
    def __init__(self, tree: Path, wanted: set[str], source_arch: str) -> None:
        self.found: dict[str, Symbol] = {}
        self._tree = tree
        self._wanted = wanted
        self._arch = source_arch
        self._depth = 0

    def read(self, path: Path, outer: list[str]) -> None:
        """Read one file; `outer`: what the whole file depends on."""
        if self._depth > _MAX_DEPTH or not path.is_file():
            return
        self._depth += 1
        blocks: list[list[str]] = [list(outer)]
        depends: list[str] = []  # where the next `depends on` belongs
        symbol: Symbol | None = None
        for line in _lines(path):
            if match := _ENTRY.fullmatch(line):
                symbol = self._entry(match[1], [*chain(*blocks)])
                depends = symbol.depends if symbol else []
            elif match := _SOURCE.match(line):
                self.read(self._resolve(path, match), [*chain(*blocks)])
            elif match := _BLOCK.fullmatch(line):
                blocks.append([match["condition"]] if match["condition"] else [])
                symbol, depends = None, blocks[-1]
            elif line in _BLOCK_ENDS and len(blocks) > 1:
                blocks.pop()
                symbol, depends = None, []
            elif match := _DEPENDS.match(line):
                depends.append(match[1])
            elif symbol and _PROMPT.match(line):
                symbol.prompt = True
            elif line.startswith("comment"):
                symbol, depends = None, []
        self._depth -= 1

    def _entry(self, name: str, outer: list[str]) -> Symbol | None:
        if name not in self._wanted:
            return None
        symbol = self.found.setdefault(name, Symbol())
        symbol.depends += [one for one in outer if one not in symbol.depends]
        return symbol

    def _resolve(self, path: Path, match: re.Match[str]) -> Path:
        name = re.sub(r"\$\(?(?:SRCARCH|ARCH)\)?", self._arch, match["path"])
        return (path.parent if "rsource" in match["kind"] else self._tree) / name


def _lines(path: Path) -> list[str]:
    """Logical lines: continuations joined, comments and help texts (indented deeper than `help`) dropped."""
    found: list[str] = []
    help_indent: int | None = None
    for row in path.read_text(errors="replace").replace("\\\n", " ").splitlines():
        text = row.strip()
        if not text or text.startswith("#"):
            continue
        indent = len(row.expandtabs()) - len(row.expandtabs().lstrip())
        if help_indent is not None and indent > help_indent:
            continue
        help_indent = indent if text in {"help", "---help---"} else None
        if help_indent is None:
            found.append(" ".join(text.partition(" #")[0].split()))
    return found
