"""Find the first error in the output of a kernel build, with file and line."""

from __future__ import annotations

import re
from pathlib import Path

from kdevops.errors import CommandError, InfrastructureError, KdevopsError, UserError
from kdevops.process import describe_exit

_MAX_TOLD = 400
_MACHINE = (
    (re.compile(r"No space left on device"), "the disk is full"),
    (
        re.compile(r"Killed signal terminated program|virtual memory exhausted|Cannot allocate memory|out of memory"),
        "out of memory",
    ),
)
_COMPILER = re.compile(r"(?P<file>[^\s:]+):(?P<line>\d+):(?:\d+:)? (?:fatal )?error: (?P<what>.+)")
_ASSEMBLER = re.compile(r"(?P<file>[^\s:]+):(?P<line>\d+): Error: (?P<what>.+)")
_KCONFIG = re.compile(r"(?P<file>[^\s:]*Kconfig[^\s:]*):(?P<line>\d+):(?!\s*warning)\s*(?P<what>.+)")
_LINKER = re.compile(r"(?:\S*ld(?:\.\w+)?: )?(?P<where>\S+?):?(?:\(\S+\))?: (?P<what>undefined reference to .+)")
_LINKED = re.compile(r"(?:\S*ld(?:\.\w+)?: )?(?P<object>\S+\.[oa]): in function .+")
_LLD = re.compile(r"ld\.lld: error: (?P<what>.+)")
_LLD_WHERE = re.compile(r">>>\s+(?P<object>\S+\.o):\(")  # two lines below the message about an undefined symbol
_MODPOST = re.compile(r"ERROR: modpost: (?P<what>.+)")
_NO_RULE = re.compile(r"make(?:\[\d+\])?: \*\*\* (?P<what>No rule to make target .+?)\.?(?:\s+Stop\.)?")
_OTHER = re.compile(r"(?:\S+: )?(?:fatal )?(?:error|ERROR|Error): (?P<what>.+)")
_OF_MAKE = re.compile(r"make(?:\[\d+\])?: ")


class Diagnosis:
    """Reads every line of a build and keeps the first error of the most precise kind."""

    def __init__(self, tree: Path, output: Path) -> None:
        self._tree = tree
        self._output = output
        self._machine: str | None = None
        self._precise: str | None = None
        self._vague: str | None = None
        self._last = ""
        self._object = ""
        self._homeless = False

    def feed(self, line: str) -> None:
        """Look at one line."""
        line = line.strip()[:_MAX_TOLD]
        if not line:
            return
        if self._machine is None:
            self._machine = next((told for pattern, told in _MACHINE if pattern.search(line)), None)
        if self._precise is None:
            self._precise = self._read(line)
            self._homeless = self._precise is not None and _LLD.match(line) is not None
        elif self._homeless and (match := _LLD_WHERE.match(line)):
            self._precise = f"{self._short(match['object'])}: {self._precise}"
            self._homeless = False
        if self._vague is None and (match := _OTHER.match(line) or _NO_RULE.fullmatch(line)):
            self._vague = match["what"]
        if not _OF_MAKE.match(line):
            self._last = line

    def error(self, failed: CommandError, log: Path) -> KdevopsError:
        """The error to raise for make's failure."""
        if self._machine:
            return InfrastructureError(f"cannot build the kernel: {self._machine}", log=log)
        if failed.returncode is None:
            return InfrastructureError(failed.message, hint=failed.hint, log=log)
        if failed.returncode < 0:
            return InfrastructureError(f"make {describe_exit(failed.returncode)}", log=log)
        return UserError(f"the kernel does not build: {self._precise or self._vague or self._last}", log=log)

    def _read(self, line: str) -> str | None:
        for pattern in (_COMPILER, _ASSEMBLER, _KCONFIG):
            if match := pattern.match(line):
                return f"{self._short(match['file'])}:{match['line']}: {match['what']}"
        if match := _LINKED.fullmatch(line):
            self._object = match["object"]
        elif match := _LINKER.match(line):
            where = match["where"]  # without debug information it is a bare file name: the object's path says more
            return f"{self._short(where if '/' in where else self._object or where)}: {match['what']}"
        if match := _LLD.match(line) or _MODPOST.match(line):
            return match["what"]
        return None

    def _short(self, file: str) -> str:
        """The path relative to the tree: out-of-tree builds print absolute or ../ paths."""
        for top in (self._tree, self._output):
            file = file.removeprefix(f"{top}/")
        return re.sub(r"^(\.\./|\./)+", "", file)
