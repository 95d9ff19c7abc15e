"""Take the runs of a bundle into a store: all of them or none, and none that is there already.

A run is the same everywhere by its results: see `mark_of`. One that came home again, or came twice,
is told from the same lab, moment and results; imported results by their identity.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from kdevops.errors import InfrastructureError
from kdevops.results import imported
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.old_marks import mark_of
from kdevops.results.boot_failure import BOOT_FAILURE
from kdevops.results.bundle.archive import Archive, damaged, is_plain
from kdevops.results.bundle.document import (
    MAX_ENTRIES,
    MAX_RUNS,
    MAX_TESTS,
    EntryDocument,
    EvidenceDocument,
    RunDocument,
    TestDocument,
)
from kdevops.results.bundle.outgoing import BASELINE, COMPARED_WITH
from kdevops.results.model import Outcome, RunState, Status, TestId
from kdevops.results.reading import Entry, PlannedRow, Reading, Run
from kdevops.results.store import Store

_MEMBER = re.compile(
    r"runs/(?P<run>0|[1-9][0-9]{0,5})/(?:run\.json|tests\.jsonl|journal\.jsonl|evidence\.json|files/(?P<file>.+))",
    re.ASCII,
)
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Taken:
    """A run of a bundle: its number here, and whether it was here `already`. `tests` and `reruns` are those in the bundle."""

    run: int
    lab: str
    already: bool
    tests: int
    reruns: int
    more: bool = False
    """The bundle has more reruns of it than there are here."""


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A run of a bundle, as the store takes it; its own number, and those that it refers to, are places in the bundle."""

    document: RunDocument
    record: Mapping[str, Any]
    plan: Sequence[PlannedRow]
    outcomes: Mapping[TestId, Outcome]
    journal: Sequence[Entry]
    evidence: tuple[str, str, bytes] | None

    def run(self, number: int = 0, *, decides: int | None = None, **more: Any) -> Run:
        """The run, with numbers of the store."""
        told = self.document
        return Run(number, told.lab, told.state, told.created, told.ended, {**self.record, **more}, decides)


def take_in(
    bundle: Path,
    store: Store,
    place: Callable[[int], Path],
    baseline: Callable[[bool], Path],
    check: Callable[[int], None],
) -> list[Taken]:
    """Store the runs of the file `bundle`, in its order. `place`: the directory of a run.

    `baseline`: where the baseline of a run is here, given whether it is one that comes with kdevops. `check` is called with
    the number of each new run before anything is durable, and raises UserError, or any error of data, if it cannot be shown.
    Raises UserError for a bundle that is damaged or tries to do harm, InfrastructureError if the runs cannot be stored.
    """
    with Archive(bundle) as archive:
        parcels = list(_parcels(archive))
        _check_references(bundle, parcels)
        runs = place(0).parent
        try:
            runs.mkdir(parents=True, exist_ok=True)
            _check_room(archive, runs)
            with tempfile.TemporaryDirectory(prefix=".import-", dir=runs) as temporary:
                there = _there(store, parcels)
                _unpack(archive, [n for n in range(len(parcels)) if _main(parcels, n) not in there], Path(temporary))
                return _stored(bundle, parcels, store, place, Path(temporary), baseline, check, there)
        except OSError as error:
            raise InfrastructureError(f"cannot store the output of tests below {runs}: {error.strerror}") from error


def _parcels(archive: Archive) -> Iterator[_Parcel]:
    numbers = set()
    for name in archive.files:
        if not (match := _MEMBER.fullmatch(name)):
            raise damaged(archive.path, f"it has a file {name} that belongs to nothing")
        numbers.add(int(match["run"]))
    if not numbers or numbers != set(range(len(numbers))) or len(numbers) > MAX_RUNS:
        raise damaged(archive.path, "its runs are not numbered from 0")
    for number in sorted(numbers):
        try:
            yield _parcel(archive, f"runs/{number}")
        except (ValidationError, LookupError, ValueError, TypeError, AttributeError) as error:
            raise damaged(archive.path, f"run {number} of it: {_first(error)}") from error


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    found = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"


def _parcel(archive: Archive, below: str) -> _Parcel:
    document = _read(RunDocument, archive.text(f"{below}/run.json"))
    if document.ended < document.created:
        raise ValueError("it ended before it began")
    plan: list[PlannedRow] = []
    outcomes: dict[TestId, Outcome] = {}
    for line in archive.lines(f"{below}/tests.jsonl"):
        test = _read(TestDocument, line)
        if len(plan) == MAX_TESTS:
            raise ValueError("it has too many tests")
        plan.append(test.row)
        outcomes[test.id] = test.ended
    if not plan or len(outcomes) != len(plan):
        raise ValueError("it has no tests, or a test twice")
    missing = any(outcome.status is Status.MISSING for outcome in outcomes.values())
    if document.state is not (RunState.INCOMPLETE if missing else RunState.COMPLETE):
        raise ValueError(f"it cannot be {document.state}")
    tests = [row.id for row in plan]
    lines = islice(archive.lines(f"{below}/journal.jsonl"), MAX_ENTRIES * len(tests) + 1)
    journal = [_read(EntryDocument, line).entry(tests) for line in lines]
    if len(journal) > MAX_ENTRIES * len(tests):
        raise ValueError("its journal is too long")
    evidence = None
    if f"{below}/evidence.json" in archive.files:
        kept = _read(EvidenceDocument, archive.text(f"{below}/evidence.json"))
        if not all(map(is_plain, kept.texts)):
            raise ValueError("its baseline has a file with a name that is none")
        evidence = kept.at, kept.source, Files(Path(), kept.texts).packed()
    parcel = _Parcel(document, _record(document.record), plan, outcomes, journal, evidence)
    _check_identity(parcel)
    return parcel


def _read(model: type[_Model], text: bytes) -> _Model:
    return model.model_validate_json(text)


def _record(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a run that is not ours. Raises ValueError if it names files outside of the run's directory."""
    if not isinstance(record["kernel"]["release"], str):
        raise ValueError("it does not say which kernel ran")  # noqa: TRY004 - of the data, not of ours
    if failure := record.get(BOOT_FAILURE):
        if not is_plain(failure["console"]):
            raise ValueError("the console of its guest has a name that is none")
        if type(failure.get("booted")) not in {int, type(None)}:
            raise ValueError("it does not say which run booted")
    return {**record, imported.BUNDLED: True}


def _check_identity(parcel: _Parcel) -> None:
    """Raise ValueError if imported results are not those that they say: others would be taken for them later."""
    run = parcel.run()
    if not (claimed := imported.identity(run)):
        return
    by_profile: dict[str, dict[TestId, Outcome]] = {}
    for test, outcome in parcel.outcomes.items():
        by_profile.setdefault(test.profile, {})[test] = outcome
    ran, release = imported.times(run), str(run.record["kernel"]["release"])
    own = {profile: imported.identity_of(release, ran.get(profile, ""), ends) for profile, ends in by_profile.items()}
    named = run.record[imported.IMPORTED]["identities"]
    if own != named or imported.of_all(own.values()) != claimed:
        raise ValueError("its results are not those that it names")


def _check_references(bundle: Path, parcels: Sequence[_Parcel]) -> None:
    for number, each in enumerate(parcels):
        told = each.document
        for other in (told.decides, told.compared_with):
            if other is not None and other >= number:
                raise damaged(bundle, f"run {number} of it refers to a run that does not stand before it")
        if told.decides is not None and (
            told.compared_with is not None or parcels[told.decides].document.decides is not None
        ):
            raise damaged(bundle, f"run {number} of it helps to decide what cannot be decided")
        if told.compared_with is not None and parcels[told.compared_with].document.decides is not None:
            raise damaged(bundle, f"run {number} of it is compared with a rerun")


def _main(parcels: Sequence[_Parcel], number: int) -> int:
    """The place of the run to which this one belongs: itself, unless it is a rerun."""
    decides = parcels[number].document.decides
    return number if decides is None else decides


def _check_room(archive: Archive, runs: Path) -> None:
    free = shutil.disk_usage(runs).free
    if archive.unpacked > free:
        raise InfrastructureError(
            f"the bundle needs {archive.unpacked >> 20} MiB, and {runs} has {free >> 20} MiB left",
            hint="free some space, for example with: kdevops results prune --older-than 90d",
        )


def _there(store: Reading, parcels: Sequence[_Parcel]) -> dict[int, int]:
    """The runs of the bundle that the store has already: their numbers there, by their places."""
    marks = {
        number: mark_of(each.run(), each.outcomes)
        for number, each in enumerate(parcels)
        if each.document.decides is None
    }
    born = {(each.document.lab, each.document.created) for each in parcels}
    whose = {imported.identity(each.run()) for each in parcels}
    found: dict[str, int] = {}
    for run in store.runs():
        identity = imported.identity(run)
        if identity in whose if identity else (run.lab, run.created) in born:
            found[mark_of(run, store.outcomes(run.id, brief=True))] = run.id
    return {number: found[mark] for number, mark in marks.items() if mark in found}


def _unpack(archive: Archive, wanted: Sequence[int], temporary: Path) -> None:
    """Write the files of these runs to directories of their own."""
    for number in wanted:
        (temporary / str(number)).mkdir()
    for name in archive.files:
        match = _MEMBER.fullmatch(name)
        if match and match["file"] and int(match["run"]) in wanted:
            archive.copy(name, temporary / match["run"] / match["file"])


def _stored(
    bundle: Path,
    parcels: Sequence[_Parcel],
    store: Store,
    place: Callable[[int], Path],
    temporary: Path,
    baseline: Callable[[bool], Path],
    check: Callable[[int], None],
    there: Mapping[int, int],
) -> list[Taken]:
    numbers = dict(there)
    moved: list[Path] = []
    try:
        with store.together():
            _check_still(_there(store, parcels), there)
            for number, each in enumerate(parcels):
                if _main(parcels, number) in there:
                    continue
                numbers[number] = _store(store, each, numbers, baseline)
            new = sorted(numbers.keys() - there.keys())
            for number in new:
                _try(bundle, numbers[number], check)
            for number in new:  # last: the less time there is, the less a kill can leave beside the store
                if any((temporary / str(number)).iterdir()):
                    target = place(numbers[number])
                    shutil.rmtree(target, ignore_errors=True)  # from an import that was killed before its end
                    (temporary / str(number)).rename(target)
                    moved.append(target)
    except BaseException:
        for directory in moved:
            shutil.rmtree(directory, ignore_errors=True)
        raise
    return [
        _taken(store, parcels, number, numbers, there) for number in sorted(numbers) if _main(parcels, number) == number
    ]


def _check_still(now: Mapping[int, int], there: Mapping[int, int]) -> None:
    if now != there:
        raise InfrastructureError("another process has imported or removed the same runs", hint="try again")


def _store(store: Store, each: _Parcel, numbers: Mapping[int, int], baseline: Callable[[bool], Path]) -> int:
    told = each.document
    more: dict[str, Any] = {BASELINE: str(baseline(told.shipped))}
    if told.compared_with is not None:
        more[COMPARED_WITH] = numbers[told.compared_with]
    if failure := each.record.get(BOOT_FAILURE):
        more[BOOT_FAILURE] = failure | {"booted": numbers.get(failure.get("booted"))}
    decides = None if told.decides is None else numbers[told.decides]
    return store.restore_run(each.run(decides=decides, **more), each.plan, each.outcomes, each.journal, each.evidence)


def _try(bundle: Path, run: int, check: Callable[[int], None]) -> None:
    try:
        check(run)
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise damaged(bundle, f"what it records of a run cannot be shown ({type(error).__name__}: {error})") from error


def _taken(
    store: Reading, parcels: Sequence[_Parcel], number: int, numbers: Mapping[int, int], there: Mapping[int, int]
) -> Taken:
    run, lab = numbers[number], parcels[number].document.lab
    reruns = sum(each.document.decides == number for each in parcels)
    more = number in there and reruns > len(store.deciding(run))
    return Taken(run, lab, number in there, len(parcels[number].plan), reruns, more)
