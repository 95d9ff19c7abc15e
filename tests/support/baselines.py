"""Baselines for tests: tables on disk, and what is known after a run was accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as replace_fields
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from kdevops.results.baselines import reports
from kdevops.results.baselines.accepting import Accepted, accept
from kdevops.results.baselines.baseline import Baseline, load
from kdevops.results.baselines.conditions import Conditions
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.table_text import format_table
from kdevops.results.baselines.writing import write
from kdevops.results.model import Outcome, TestId

_RUNS = count(1)


def table_file(series: str, suite: str, profile: str) -> PurePosixPath:
    """Where an older kdevops had its table."""
    return PurePosixPath(series, quote(suite, safe=""), f"{quote(profile, safe='')}.txt")


def texts_of(baseline: Baseline) -> dict[str, str]:
    """A baseline that is only in memory as files: tables in the old form, which can say everything."""
    texts = {str(table_file(table.series, *key)): format_table(table) for key, table in baseline.tables.items()}
    if baseline.reports.notes:
        texts[f"{baseline.reports.series}/{reports.NAME}"] = reports.format_reports(baseline.reports)
    return texts


def save(directory: Path, baseline: Baseline) -> None:
    """Write a baseline that is only in memory."""
    write(directory, {PurePosixPath(name): text for name, text in texts_of(baseline).items()})


def learnt(baseline: Baseline, outcomes: Mapping[TestId, Outcome], *, replace: bool = False, **run: Any) -> Baseline:
    """The baseline after a run with these outcomes was accepted; `run`: fields of `Accepted`, or `today`."""
    kept = baseline.files.texts
    texts = dict(kept) if kept is not None else texts_of(baseline)
    files = Files(Path("/baselines"), texts)
    before = replace_fields(load(files, baseline.series), allowed=baseline.allowed)
    today = run.pop("today", None)
    what = Accepted(["demo", str(next(_RUNS))], "2026-11-21 22:42 UTC, 6.1.192, lab demo", outcomes, **run)
    change = accept(before, Conditions(), what, replace=replace, today=today)
    texts |= {str(name): text for name, text in change.texts.items()}
    return replace_fields(load(Files(Path("/baselines"), texts), baseline.series), allowed=baseline.allowed)


def counts_in(directory: Path) -> str:
    """All that the files of counts of a baseline say."""
    paths = (path for path in sorted(directory.rglob("*-*.txt")) if not path.name.startswith(("tests-", "seconds-")))
    return "".join(path.read_text() for path in paths)


def accepted_into(directory: Path, series: str, outcomes: Mapping[TestId, Outcome], **run: Any) -> tuple[Path, ...]:
    """Accept a run with these outcomes into a directory; returns what was written."""
    today = run.pop("today", None)
    what = Accepted(["demo", str(next(_RUNS))], "2026-11-21 22:42 UTC, 6.1.192, lab demo", outcomes, **run)
    return write(directory, accept(load(directory, series), Conditions(), what, today=today).texts)
