"""Run make for suites: in a clean environment, finding the first error in its output."""

from __future__ import annotations

import re

# Our caller may be a Makefile, whose variables would change how this make behaves.
ENVIRONMENT = {"MAKEFLAGS": "", "MFLAGS": "", "MAKELEVEL": "0", "KBUILD_OUTPUT": "", "LC_ALL": "C"}
# Errors of gcc, clang, ld, cpp, configure and the shell; make's own lines only say that something failed.
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
        """Process one line."""
        if not self._compiler and _ERROR.search(line):
            self._compiler = line.strip()[:_LINE]
        elif not self._make and _MAKE_ERROR.match(line):
            self._make = line.strip()[:_LINE]

    @property
    def first(self) -> str:
        """The first error of the compiler, else of make; "" if make did not fail."""
        return (self._compiler or self._make) if self._make else ""
