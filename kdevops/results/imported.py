"""Runs whose results others produced: which results they are, and when the tests ran.

The same results are the same run wherever they were imported, and from whatever directory: their identity is a hash of what
they say. A run may hold the results of several profiles, each of which has an identity of its own, so that one profile
imported alone is found again among all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kdevops.files import digest_of
from kdevops.results.model import Outcome, TestId
from kdevops.results.store import JSON, Run, Store
from kdevops.text import clean

IMPORTED = "imported"
"""In the record of an imported run: where its results are from, and facts about them."""
BUNDLED = "bundled"
"""In the record of a run of our kind that came in a bundle, from another store: it cannot run again here."""
Ends = Mapping[TestId, Outcome]


def identity_of(kernel: str, when: str, ends: Ends) -> str:
    """SHA-256 (hex) of the results of one profile: kernel release, time of the run ("" if unknown), and how each test ended."""
    told = sorted([*test, outcome.status.value, float(outcome.seconds)] for test, outcome in ends.items())
    return digest_of([kernel, when, told])


def of_all(identities: Iterable[str]) -> str:
    """The identity of a run with the results of these profiles."""
    return digest_of(sorted(identities))


def identity(run: Run) -> str:
    """The identity of an imported run; "" for one of our own, and for one that an older kdevops imported."""
    return str(_facts(run).get("identity", ""))


def identities(store: Store, run: Run) -> frozenset[str]:
    """The identities of an imported run's profiles; computed if an older kdevops imported it."""
    return frozenset(by_profile(store, run).values())


def by_profile(store: Store, run: Run) -> Mapping[str, str]:
    """The same by profile."""
    facts = _facts(run)
    if "identities" in facts:
        return dict(facts["identities"])
    found: dict[str, dict[TestId, Outcome]] = {}
    for test, outcome in store.outcomes(run.id, brief=True).items():
        found.setdefault(test.profile, {})[test] = outcome
    release, ran = str(run.record["kernel"]["release"]), facts.get("ran", {})
    return {profile: identity_of(release, ran.get(profile, ""), ends) for profile, ends in found.items()}


def ran(run: Run) -> tuple[str, ...]:
    """The first and last known moment at which profiles of an imported run ended, ISO 8601; none if unknown.

    Local time of the machine that ran the tests.
    """
    moments = sorted(map(str, _facts(run).get("ran", {}).values()))
    return tuple(dict.fromkeys([*moments[:1], *moments[1:][-1:]]))


def days(run: Run) -> str:
    """The same as days: "2024-05-17", "2024-05-17 to 2024-05-18", or ""."""
    return " to ".join(dict.fromkeys(moment[:10] for moment in ran(run)))


def times(run: Run) -> Mapping[str, str]:
    """When the tests of each profile ran, ISO 8601, as far as it is known."""
    return dict(_facts(run).get("ran", {}))


def profiles(run: Run) -> Mapping[str, str]:
    """The configuration of an imported run's profiles in a few words, by profile, as far as it is known."""
    return {clean(name): clean(words) for name, words in _facts(run).get("made", {}).items()}


def is_imported(run: Run) -> bool:
    """Whether others produced the run's results."""
    return IMPORTED in run.record


def is_bundled(run: Run) -> bool:
    """Whether the run came in a bundle: its kernel, its image and its guests were those of another machine."""
    return bool(run.record.get(BUNDLED))


def facts_json(run: Run) -> dict[str, JSON] | None:
    """What is known of imported results, for programs; None for a run of our own."""
    if not is_imported(run):
        return None
    found = _facts(run)
    return {name: found.get(name, {}) for name in ("directory", "ran", "identity", "facts", "notes")}


def _facts(run: Run) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = run.record.get(IMPORTED, {})
    return facts
