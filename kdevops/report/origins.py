"""What a run tested, for people: kernel, configuration, suites and their tools, guests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from kdevops.report.counting import many
from kdevops.report.kernels import commit, config, kernel
from kdevops.report.live import duration
from kdevops.report.words import suites_from
from kdevops.results import imported
from kdevops.results.store import Run
from kdevops.suites.base import RECORDED
from kdevops.suites.registry import kind_of_tests
from kdevops.text import clean


def origins(run: Run) -> list[tuple[str, str]]:
    """Name and text of each fact, in the order readers expect; facts missing in the run's record are omitted."""
    facts = [
        ("Kernel", kernel(run.record)),
        ("Config", config(run.record)),
        *((suite, commit(record)) for suite, record in run.record.get("suites", {}).items()),
        ("Suites", ", ".join(suites_from(run))),
        ("Tools", _tools(run.record)),
        ("Guests", _guests(run.record)),
        ("Ran", imported.days(run)),
        ("Imported" if imported.is_imported(run) else "Date", _date(run)),
        ("Run", _run(run)),
    ]
    return [(name, clean(text)) for name, text in facts if text]


def profiles(run: Run) -> list[tuple[str, str]]:
    """Each profile of the run with its mkfs and mount options."""
    return [*imported.profiles(run).items(), *_recorded(run)]


def _recorded(run: Run) -> list[tuple[str, str]]:
    return [
        (clean(key.removeprefix(RECORDED)), clean(text))
        for record in run.record.get("suites", {}).values()
        for key, text in record.items()
        if key.startswith(RECORDED)
    ]


def _tools(record: Mapping[str, Any]) -> str:
    """Packages that affect tests as much as the kernel does."""
    packages = record.get("image", {}).get("packages", {})
    kinds = [kind for suite in record.get("suites", {}) if (kind := kind_of_tests(suite))]
    tools = dict.fromkeys(name for kind in kinds for name in kind.tools)
    return ", ".join(f"{name} {packages[name]}" for name in tools if name in packages)


def _guests(record: Mapping[str, Any]) -> str:
    guests = record.get("lab", {}).get("guests")
    if not guests:
        return ""
    each = f"{many(guests['cpus'], 'CPU')} and {guests['memory'] / (1 << 30):.3g} GiB each"
    return ", ".join([f"{guests['count']} with {each}", *_acceleration(record)])


def _acceleration(record: Mapping[str, Any]) -> Iterator[str]:
    if kind := record.get("acceleration"):
        yield "emulated (tcg)" if kind == "tcg" else str(kind)


def _date(run: Run) -> str:
    began = datetime.fromisoformat(run.created)
    text = f"{began:%Y-%m-%d %H:%M} UTC"
    if run.ended and not imported.is_imported(run):
        text += f", {duration((datetime.fromisoformat(run.ended) - began).total_seconds())}"
    return text


def _run(run: Run) -> str:
    origin = run.record.get("imported", {}).get("directory")
    made = f"imported from {origin}" if origin else f"kdevops {run.record.get('kdevops', '')}".strip()
    return f"{run.id} of lab {run.lab}, {made}"
