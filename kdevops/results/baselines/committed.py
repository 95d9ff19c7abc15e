"""Reads the text files of a baseline, which people edit and merge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kdevops.errors import UserError
from kdevops.files import read_regular
from kdevops.text import clean

_MARKERS = frozenset("<=>|")
_CONFLICT = re.compile(r"(<{7}|={7}|>{7}|\|{7})( |$)")


MAX_BYTES = 64 << 20
"""Bytes of one file; 30,000 tests that all fail in several ways have about 10 millions."""


class AbsentError(UserError):
    """There is no such file."""


def read(path: Path) -> str:
    """The text of a file, without a byte order mark, lines ending in a line feed.

    Raises AbsentError if it does not exist, UserError if it cannot be read, is not a regular file, or is larger than any of
    a baseline's.
    """
    try:
        found = read_regular(path, MAX_BYTES + 1)
    except OSError as error:
        kind = AbsentError if isinstance(error, (FileNotFoundError, NotADirectoryError)) else UserError
        raise kind(f"cannot read the baseline {path}: {error.strerror}") from error
    if found is None:
        raise UserError(f"{path} is not a regular file", hint="remove it, or restore the file with git checkout")
    data, _ = found
    if len(data) > MAX_BYTES:
        raise UserError(
            f"the baseline {path} is larger than {MAX_BYTES >> 20} MiB", hint="restore it with git checkout"
        )
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UserError(f"the baseline {path} is not UTF-8 text (byte {error.start})") from error


def lines(text: str, path: Path, *, on_conflict: str) -> Iterator[tuple[int, str, str]]:
    """Each line without surrounding blanks: its number from 1, `path:number`, and the text.

    Raises UserError, with the hint `on_conflict`, for a marker that git left in the file.
    """
    place = str(path)
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        where = f"{place}:{number}"
        if line[:1] in _MARKERS and _CONFLICT.match(line):
            raise UserError(f"{where}: an unresolved git conflict: {clean(line, 80)}", hint=on_conflict)
        yield number, where, line
