"""Text for people: clean guest output for storing and printing, and suggest similar names."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

ELLIPSIS = "…"

# ECMA-48: control sequences (CSI) and control strings (DCS, SOS, OSC, PM, APC, ended by ST or, in practice, BEL).
# Of an unterminated string, only the introducer is removed, so that no guest can hide the text that follows.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[PX\]^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
# Cc controls, Cf invisible formatting (turns the direction of text), Cs lone surrogates (cannot be encoded).
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs"})
# Printable ASCII needs no look at its category, and is most of any text.
_DOUBTFUL = re.compile(r"[^ -~]")
_DOUBTFUL_IN_LINES = re.compile(r"[^ -~\n]")
_BREAKS = frozenset("\n\r\t\v\f\x85\u2028\u2029")


def clean(text: str, limit: int | None = None, *, lines: bool = False) -> str:
    """`text` without escape sequences, control characters, invisible formatting and lone surrogates.

    The result is one line, trimmed, or with `lines` several, separated by "\\n". With `limit` it has at most that many
    characters, the last of them "…" if it was cut.
    """
    # Nothing printable is removed, and nearly all text is printable.
    if not (text.replace("\n", "") if lines else text).isprintable():
        text = _printed(text, lines=lines)
    if not lines:
        text = text.strip()
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + ELLIPSIS if limit > 0 else ""
    return text


def without_escapes(text: str) -> str:
    """`text` without escape sequences; everything else, including control characters, is kept."""
    return _ESCAPES.sub("", text)


def nearest(name: str, known: Sequence[str], most: int = 3) -> str:
    """The end of a message about an unknown name: "; did you mean futex?"; "" if no known name is similar."""
    close = difflib.get_close_matches(name[:80], known, n=most)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def nearest_or_all(name: str, known: Iterable[str]) -> str:
    """The same with one name, or a list of all names if none is similar."""
    names = sorted(known)
    return nearest(name, names, 1) or (f"; known: {', '.join(names)}" if names else "")


def fits_any(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the globs fits the whole name."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _printed(text: str, *, lines: bool) -> str:
    text = without_escapes(text)
    if lines:
        return _DOUBTFUL_IN_LINES.sub(_printable, text.replace("\r\n", "\n"))
    return _DOUBTFUL.sub(_printable, text)


def _printable(match: re.Match[str]) -> str:
    character = match[0]
    if character in _BREAKS:
        return " "
    return "" if unicodedata.category(character) in _UNPRINTABLE else character
