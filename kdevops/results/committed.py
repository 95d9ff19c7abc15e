"""Reads the text files of a baseline, which people edit and merge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kdevops.errors import UserError
from kdevops.text import clean

_CONFLICT = re.compile(r"(<{7}|={7}|>{7}|\|{7})( |$)")


class AbsentError(UserError):
    """There is no such file."""


def read(path: Path) -> str:
    """The text of a file. Raises AbsentError if it does not exist, UserError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        kind = AbsentError if isinstance(error, FileNotFoundError) else UserError
        raise kind(f"cannot read the baseline {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"the baseline {path} is not UTF-8 text (byte {error.start})") from error


def lines(text: str, path: Path, *, on_conflict: str) -> Iterator[tuple[int, str, str]]:
    """Each line without surrounding blanks: its number from 1, `path:number`, and the text.

    Raises UserError, with the hint `on_conflict`, for a marker that git left in the file.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        where = f"{path}:{number}"
        if _CONFLICT.match(line):
            raise UserError(f"{where}: an unresolved git conflict: {clean(line, 80)}", hint=on_conflict)
        yield number, where, line
