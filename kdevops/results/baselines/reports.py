"""Known kernel reports of a baseline: a text file per series, for `git diff` and `git merge`.

`<directory>/6.1/reports.txt` begins with any number of comment lines, then has one signature per line, sorted:

    KASAN: slab-out-of-bounds in foo
    WARNING in xfs_bar  # https://…, fixed in 6.1.200

A report with one of these signatures does not make a run red, whatever the test. Lines have no counts, so additions of two
people merge cleanly, and a signature that both added appears once. A note may follow a "#". In a signature `%`, `#`,
non-ASCII characters, and characters that would look like the start of a conflict are percent-escaped as in a URL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, unquote

from kdevops.errors import UserError
from kdevops.results.baselines import committed
from kdevops.results.baselines.files import Files
from kdevops.text import clean

NAME = "reports.txt"
HEADER = (
    "# Kernel reports that are known: a run in which the kernel makes one of them is not red for it.",
    "# Take a line out, and it counts again.",
)
_SAFE = " !\"$&'()*+,-./:;<=>?@[\\]^_`{|}~"
_LIKE_A_CONFLICT = {character: quote(character) for character in "<=>|"}


@dataclass(frozen=True, slots=True)
class KnownReports:
    """The known signatures, each with its note, and the comment lines above them.

    `series` is that of the file, "" if there is none for the series or an older one.
    """

    series: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    header: tuple[str, ...] = ()

    def with_signatures(self, series: str, signatures: Iterable[str]) -> KnownReports:
        """Add signatures, for a file of `series`; returns self if there is nothing to add."""
        new = {signature: "" for signature in signatures if signature not in self.notes}
        if not new:
            return self
        return replace(self, series=series, notes={**self.notes, **new}, header=self.header or HEADER)


def file_of(directory: Path, series: str) -> Path:
    """The file of a series of the baseline `directory`."""
    return directory / series / NAME


def load(files: Files, series: Sequence[str]) -> KnownReports:
    """Read the known reports among `files`, from the first of these series that has a file: give the nearest first.

    Raises UserError, with file and line, for a file that cannot be read or parsed.
    """
    for each in series:
        name = f"{each}/{NAME}"
        try:
            return parse(files.read(name), path=files.place(name), series=each)
        except committed.AbsentError:
            continue
    return KnownReports()


def parse(text: str, *, path: Path, series: str) -> KnownReports:
    """The signatures in a file's text. Raises UserError naming `path` and the line of the mistake."""
    header: list[str] = []
    notes: dict[str, list[str]] = {}
    keep = "keep the lines of both sides and remove the markers"
    for _, where, line in committed.lines(text, path, on_conflict=keep):
        name, _, note = line.partition("#")
        if signature := clean(unquote(name)):
            said = notes.setdefault(signature, [])
            said += [note] if (note := clean(note)) and note not in said else []
        elif line.startswith("#"):
            if notes:
                raise UserError(
                    f"{where}: a comment between signatures would lose its place when they are sorted",
                    hint="put it above the first signature, or after one as its note",
                )
            header.append(line)
        elif line:
            raise UserError(
                f"{where}: not the signature of a kernel report: {clean(line, 80)}",
                hint="expected e.g. `WARNING in xfs_bar  # note`",
            )
    return KnownReports(series, {name: "; ".join(said) for name, said in notes.items()}, tuple(header))


def format_reports(known: KnownReports) -> str:
    """The text of a file; the inverse of `parse`."""
    return "".join(f"{line}\n" for line in (*known.header, *lines_of(known)))


def lines_of(known: KnownReports) -> list[str]:
    """The lines of the signatures, sorted."""
    return sorted(escape(each) + (f"  # {clean(note)}" if clean(note) else "") for each, note in known.notes.items())


def escape(signature: str) -> str:
    """A signature as written in a file."""
    text = quote(clean(signature), safe=_SAFE)
    return _LIKE_A_CONFLICT.get(text[:1], text[:1]) + text[1:]
