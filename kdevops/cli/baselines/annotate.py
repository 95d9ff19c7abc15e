"""`kdevops baseline annotate`: what people know of a test."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from kdevops.cli.baselines.where import directory_of, where_argument
from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.errors import UserError

_MAX_TOLD = 10


@click.command(short_help="Note what is known of TEST: why it fails, a link, until when.")
@click.argument("name", metavar="TEST")
@where_argument
@click.option("--note", "text", metavar="TEXT", default="", help="What is to be said.")
@click.option("--link", metavar="URL", default="", help="Where more is said, such as a bug report.")
@click.option(
    "--until",
    metavar="DAY",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The last day on which the test is known to fail, as 2027-01-31; its failures are unknown afterwards.",
)
@click.option("--gone", is_flag=True, help="The test no longer exists; nobody misses it.")
@click.option("--way", metavar="WAY", default="", help="The note is about this way to go bad, as `show` lists it.")
@click.option("--remove", is_flag=True, help="Remove the notes of the test (or the way) instead.")
@click.option("--kernel", metavar="NAME", help="Only in this directory of a kernel or series; default: the newest.")
@json_option
@common_options
@pass_context
def annotate(
    context: Context,
    name: str,
    where: Path | None,
    *,
    text: str,
    link: str,
    until: datetime | None,
    gone: bool,
    way: str,
    remove: bool,
    kernel: str | None,
) -> None:
    """Note what is known of TEST in BASELINE, beside its counts: one line per note in notes.txt, merged by git.

    TEST is suite/profile/name or the end of it; several profiles get the note. A test may have several notes.
    """
    from kdevops.cli.baselines.explain import known_tests
    from kdevops.results.baselines import notes
    from kdevops.results.baselines.files import Files
    from kdevops.results.baselines.layout import Texts
    from kdevops.results.baselines.tables import read_notes
    from kdevops.results.baselines.writing import locked, write
    from kdevops.text import clean

    said = " ".join(filter(None, [clean(text, notes.MAX_TEXT), clean(link, notes.MAX_TEXT)]))
    if not (said or until or gone or remove):
        raise UserError("there is nothing to note", hint="give --note, --link, --until or --gone; or --remove")
    if remove and (said or until or gone):
        raise UserError("--remove goes with nothing but --way and --kernel", hint="remove first, then note")
    directory = directory_of(where)
    with locked(directory):
        files = Files(directory)
        found = known_tests(files, name, None)
        if not any(f"/{test}".endswith(f"/{name}") for _, test, _ in found):  # only a part of names
            some = ", ".join(dict.fromkeys(str(test) for _, test, _ in found[:_MAX_TOLD]))
            raise UserError(f"no test is called {clean(name, 80)!r}", hint=f"perhaps one of: {clean(some)}")
        newest = kernel or found[-1][0].folder.kernel
        texts: Texts = {}
        if way and not remove and not any(way in entry.symptoms for _, _, entry in found):
            ways = ", ".join(sorted({each for _, _, entry in found for each in entry.symptoms})[:_MAX_TOLD])
            raise UserError(f"{clean(name, 80)} never went bad by {clean(way, 80)}", hint=f"known: {ways or 'no way'}")
        for known, test, _ in found:
            if known.folder.kernel != newest:
                continue
            if known.place.old:
                raise UserError(
                    f"{known.place.old} has the form of an older kdevops", hint=f"kdevops baseline migrate {directory}"
                )
            path = known.folder.path / notes.NAME
            kept = notes.parse(texts[path], path=directory / path) if path in texts else read_notes(files, known.place)
            if remove:
                left = tuple(each for each in kept if (each.test, each.symptom) != (test.name, way))
                if left == kept:
                    continue
                kept = left
            else:
                day = until.date() if until else None
                kept = (*kept, notes.Note(test.name, way, day, said, gone))
            texts[path] = notes.format_notes(kept)
        if not texts and not remove:
            kernels = ", ".join(dict.fromkeys(known.folder.kernel for known, _, _ in found))
            raise UserError(f"nothing is known of {clean(name, 80)} on {clean(newest, 80)}", hint=f"but on {kernels}")
        written = write(directory, texts)
    lines = [f"{path} written" for path in written] or [
        "there is nothing to remove" if remove else "that is noted already"
    ]
    context.emit({"written": [str(path) for path in written]}, lines)
