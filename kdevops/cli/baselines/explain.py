"""`kdevops baseline explain`: all that is known of a test, and where from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kdevops.cli.baselines.where import directory_of, where_argument
from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.errors import UserError

if TYPE_CHECKING:
    from kdevops.results.baselines.entry import Entry
    from kdevops.results.baselines.files import Files
    from kdevops.results.baselines.overview import Known
    from kdevops.results.model import TestId

_MAX_TESTS = 50


@click.command(short_help="Show all that is known of TEST, and where from.")
@click.argument("name", metavar="TEST")
@where_argument
@click.option("--kernel", metavar="RELEASE", help="Only what applies to this kernel, the nearest first.")
@json_option
@common_options
@pass_context
def explain(context: Context, name: str, where: Path | None, *, kernel: str | None) -> None:
    """Show all that BASELINE knows of TEST: counts by run, the rate with its interval, ways to go bad, notes, expunge lists.

    TEST is suite/profile/name or the end of it, such as generic/475; BASELINE as with `show`.
    """
    from kdevops.results.baselines.files import Files
    from kdevops.text import clean

    files = Files(directory_of(where))
    listed = list(_listed(files.directory, name, kernel))
    found = known_tests(files, name, kernel, enough=bool(listed))
    lines: list[str] = []
    data: list[dict[str, Any]] = []
    for known, test, entry in found[:_MAX_TESTS]:
        lines += _lines(files, known, test, entry)
        data.append(_json(files, known, test, entry))
    lines += [clean(f"{path}:{number} {text}") for path, number, text in listed]
    data += [{"list": str(path), "line": number, "says": text} for path, number, text in listed]
    if len(found) > _MAX_TESTS:
        lines.append(f"and {len(found) - _MAX_TESTS} more; name the test with its suite and profile")
    context.emit(data, lines)


def known_tests(
    files: Files, name: str, kernel: str | None, *, enough: bool = False
) -> list[tuple[Known, TestId, Entry]]:
    """Every place that knows a test that `name` means, with what it knows.

    Raises UserError if there is none, unless there is `enough` without that.
    """
    from kdevops.report.fitting import fitting, near
    from kdevops.results.baselines.overview import overview
    from kdevops.results.model import TestId
    from kdevops.results.nearest import nearest_first
    from kdevops.text import clean

    places = list(overview(files))
    if kernel is not None:
        order = nearest_first({each.folder.kernel for each in places}, kernel)
        places = [each for of in order for each in places if each.folder.kernel == of]
    everything = {TestId(*each.folder.key, test): each for each in places for test in each.table.entries}
    chosen = fitting(name, everything)
    if not chosen and not enough:
        raise UserError(
            f"{files.directory} knows no test {clean(name, 80)}; {near(name, everything)}",
            hint=f"see what it knows: kdevops baseline show {files.directory} --all",
        )
    return [
        (each, test, each.table.entries[test.name])
        for each in places
        for test in chosen
        if each.folder.key == (test.suite, test.profile) and test.name in each.table.entries
    ]


def _listed(directory: Path, name: str, kernel: str | None) -> Iterator[tuple[Path, int, str]]:
    """The lines of expunge lists about a test: file, line, and text; of a kernel, those of directories that apply to it."""
    from kdevops.results.expunges.lists import parse
    from kdevops.results.expunges.reading import of_baseline
    from kdevops.results.nearest import nearest_first

    for tree in of_baseline(directory):
        kernels = {path.parts[0] for path in tree.tree.lists}
        order = nearest_first(kernels, kernel) if kernel else sorted(kernels)
        for path in sorted(
            (path for path in tree.tree.lists if path.parts[0] in order), key=lambda each: order.index(each.parts[0])
        ):
            for line in parse(tree.tree.lists[path], tree.place / path):
                if f"/{name}".endswith(f"/{line.test}"):
                    yield line.file, line.line, f"{line.test}  # {line.note}" if line.note else line.test


def _lines(files: Files, known: Known, test: TestId, entry: Entry) -> Iterator[str]:
    from kdevops.results.baselines.overview import by_run, rate_text
    from kdevops.results.baselines.table_text import counts_text, symptom_lines
    from kdevops.text import clean

    yield clean(f"{known.folder} {test.name}")
    rate = rate_text(entry)
    yield f"  {counts_text(entry)}" + (f"; goes bad {rate}" if rate else "; never ran")
    yield from (f"  {line}" for line in symptom_lines(test.name, entry))
    if entry.until:
        yield f"  known until {entry.until}"
    if entry.note:
        yield f"  note: {clean(entry.note)}"
    if test.name in known.table.seconds:
        yield f"  takes {known.table.seconds[test.name]:.1f} s"
    yield from (f"  {counts_text(each)}: {clean(said)}" for said, each in by_run(files, known, test.name))


def _json(files: Files, known: Known, test: TestId, entry: Entry) -> dict[str, Any]:
    from kdevops.cli.baselines.show import entry_json
    from kdevops.results.baselines.overview import by_run
    from kdevops.results.decision.interval import wilson

    counts = entry.counts
    low, high = wilson(counts.bad, counts.ran)
    return entry_json(known, test.name, entry) | {
        "rate": counts.bad / counts.ran if counts.ran else None,
        "interval": [low, high],
        "runs": [
            {"said": said, "counts": {status.value: number for status, number in each.counts.counts.items()}}
            for said, each in by_run(files, known, test.name)
        ],
    }
