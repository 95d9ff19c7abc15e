"""Make as suites call it: in an environment of its own, with the first error found in what it prints."""

from __future__ import annotations

import re

# Our own caller may be a Makefile, whose variables would change how this make behaves.
ENVIRONMENT = {"MAKEFLAGS": "", "MFLAGS": "", "MAKELEVEL": "0", "KBUILD_OUTPUT": "", "LC_ALL": "C"}
# What gcc, clang, ld, cpp, configure and the shell say when they fail; make's own lines only tell that something did.
_ERROR = re.compile(
    r"(?:\berror: |: fatal error: |FATAL ERROR: |undefined reference to|ld: cannot find |: not found$"
    r"|: No such file or directory$)"
)
_MAKE_ERROR = re.compile(r"make(?:\[\d+\])?: \*\*\* (?!.*Waiting for)")
_LINE = 300


class Errors:
    """Finds the first error in the output of a make."""

    def __init__(self) -> None:
        self._compiler = ""
        self._make = ""

    def feed(self, line: str) -> None:
        """Look at one line."""
        if not self._compiler and _ERROR.search(line):
            self._compiler = line.strip()[:_LINE]
        elif not self._make and _MAKE_ERROR.match(line):
            self._make = line.strip()[:_LINE]

    @property
    def first(self) -> str:
        """The compiler's first error, or make's; "" when make did not give up on anything."""
        return (self._compiler or self._make) if self._make else ""
