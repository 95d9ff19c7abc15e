"""Write a bundle: runs with all that belongs to them, in an order and with bytes that depend on nothing else."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any

from kdevops.errors import InfrastructureError, UserError
from kdevops.files import fsync_dir
from kdevops.results.baselines.files import unpacked
from kdevops.results.boot_failure import BOOT_FAILURE
from kdevops.results.bundle.archive import MAX_TEXT, Writer, is_plain
from kdevops.results.bundle.document import MAX_RUNS, EvidenceDocument, RunDocument, journal_lines, test_lines, written
from kdevops.results.bundle.leaving import leaving
from kdevops.results.imported import BUNDLED
from kdevops.results.reading import Reading, Run

COMPARED_WITH = "compared_with"
"""In a run's record, as `kdevops.run.plan.record` writes it."""
BASELINE = "baseline"
_CHUNK = 1 << 20
_LINES = 1000


@dataclass(frozen=True, slots=True)
class Exported:
    """What a bundle has: the numbers of the runs in their order, the number of their files, and bytes.

    `left_out` are files that no bundle may have: links, devices, and names that cannot be printed.
    """

    runs: tuple[int, ...]
    files: int
    size: int
    left_out: int


def export(
    store: Reading, numbers: Sequence[int], place: Callable[[int], Path], shipped: Callable[[str], bool], target: Path
) -> Exported:
    """Write these runs to `target`, with the reruns that helped to decide them and the runs that they are compared with.

    `place`: the directory of a run. `shipped`: whether a baseline is one that comes with kdevops. Raises UserError for a run
    that is not there, is not over, or only helps to decide another, InfrastructureError if the file cannot be written.
    """
    runs = _with_theirs(store, numbers)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    except OSError as error:
        raise InfrastructureError(f"cannot write {target}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            writer = Writer(file)
            try:
                files, left_out = _fill(writer, store, runs, place, shipped)
            finally:
                writer.abandon()
            os.fchmod(file.fileno(), 0o644)
            file.flush()
            os.fsync(file.fileno())
        size = Path(temporary).stat().st_size
        Path(temporary).replace(target)
        fsync_dir(target.parent)
    except OSError as error:
        raise InfrastructureError(f"cannot write {target}: {error.strerror or error}") from error
    except ValueError as error:
        raise InfrastructureError(f"the runs cannot be written to a bundle: {error}") from error
    finally:
        Path(temporary).unlink(missing_ok=True)
    return Exported(tuple(run.id for run in runs), files, size, left_out)


def _fill(
    writer: Writer,
    store: Reading,
    runs: Sequence[Run],
    place: Callable[[int], Path],
    shipped: Callable[[str], bool],
) -> tuple[int, int]:
    """Write the whole bundle; return the numbers of files that are in it, and that are left out."""
    index = {run.id: number for number, run in enumerate(runs)}
    files = left_out = 0
    for run in runs:
        _add_run(writer, store, run, index, shipped)
        for path, name in _files(place(run.id)):
            if name and (content := _content(path)):
                writer.add(f"runs/{index[run.id]}/files/{name}", content)
                files += 1
            else:
                left_out += 1
    writer.close({"lab": run.lab, "created": run.created} for run in runs if run.decides is None)
    return files, left_out


def _with_theirs(store: Reading, numbers: Sequence[int]) -> list[Run]:
    """The runs with all that they need, by number; so a run stands behind what it refers to, everywhere."""
    found: dict[int, Run] = {}
    left = list(numbers)
    while left:
        run = store.run(left.pop())
        if run.id in found:
            continue
        if run.decides is not None:
            raise UserError(
                f"run {run.id} helps to decide run {run.decides}",
                hint=f"export that, with all that belongs to it: kdevops results export {run.decides} --bundle FILE",
            )
        for each in (run, *store.deciding(run.id)):
            if not each.ended:
                go_on = f"kdevops resume {each.id}" if each.decides is None else f"kdevops decide {run.id}"
                raise UserError(f"run {each.id} is not over", hint=f"go on with it first: {go_on}")
            found[each.id] = each
        if (beside := run.record.get(COMPARED_WITH)) is not None:
            left.append(beside)
    if len(found) > MAX_RUNS:
        raise UserError(f"a bundle cannot have {len(found)} runs", hint="export fewer runs at once")
    return [run for _, run in sorted(found.items())]


def _add_run(writer: Writer, store: Reading, run: Run, index: dict[int, int], shipped: Callable[[str], bool]) -> None:
    below = f"runs/{index[run.id]}"
    record: dict[str, Any] = leaving(run.record)
    beside = record.pop(COMPARED_WITH, None)
    record.pop(BUNDLED, None)
    if isinstance(failure := record.get(BOOT_FAILURE), dict):
        record[BOOT_FAILURE] = failure | {"booted": index.get(failure.get("booted") or 0)}
    document = RunDocument(
        lab=run.lab,
        state=run.state,
        created=run.created,
        ended=run.ended or "",
        decides=None if run.decides is None else index[run.decides],
        compared_with=None if beside is None else index[beside],
        shipped=shipped(str(record.pop(BASELINE, ""))),
        record=record,
    )
    plan = store.plan(run.id)
    writer.add(f"{below}/run.json", [_short(run, document)])
    writer.add(f"{below}/tests.jsonl", _together(test_lines(plan, store.outcomes(run.id))))
    places = {row.id: number for number, row in enumerate(plan)}
    writer.add(f"{below}/journal.jsonl", _together(journal_lines(store.journal(run.id), places)))
    if kept := store.evidence(run.id):
        at, source, files = kept
        evidence = EvidenceDocument(at=at, source=source, texts=dict(unpacked(Path(), files).texts or {}))
        writer.add(f"{below}/evidence.json", [_short(run, evidence)])


def _short(run: Run, document: RunDocument | EvidenceDocument) -> bytes:
    """A document as its bytes. Raises UserError if they are more than anybody would read."""
    data = written(document)
    if len(data) > MAX_TEXT:
        raise UserError(
            f"run {run.id} cannot be exported: its record or its baseline is larger than {MAX_TEXT >> 20} MiB"
        )
    return data


def _together(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Lines in pieces that are worth packing."""
    some: list[bytes] = []
    for line in lines:
        some.append(line)
        if len(some) == _LINES:
            yield b"".join(some)
            some.clear()
    yield b"".join(some)


def _files(directory: Path) -> Iterator[tuple[Path, str]]:
    """The files of a run in the order of their names, each with its name in a bundle, "" if it cannot have one."""
    found = []
    for place, folders, names in os.walk(directory):
        folders.sort()
        found += [Path(place, name) for name in names]
        found += [Path(place, name) for name in folders if Path(place, name).is_symlink()]
    for path in sorted(found):
        name = path.relative_to(directory).as_posix()
        yield path, name if is_plain(name) else ""


def _content(path: Path) -> Iterator[bytes] | None:
    """The content of a regular file; None for a link, a FIFO or a device, and for one that is gone by now."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    file = os.fdopen(descriptor, "rb")
    if not S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        return None

    def chunks() -> Iterator[bytes]:
        with file:
            while chunk := file.read(_CHUNK):
                yield chunk

    return chunks()
