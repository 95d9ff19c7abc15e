"""Strategies for what a baseline may say."""

from __future__ import annotations

from hypothesis import strategies as st

from kdevops.results.baselines.entry import Entry, Seen
from kdevops.results.model import Counts, Status
from kdevops.text import clean

NAMES = st.text(min_size=1, max_size=12)
NOTES = st.text(max_size=12).map(clean)
HASHES = st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}")
COUNTS = st.dictionaries(
    st.sampled_from([status for status in Status if status is not Status.MISSING]), st.integers(1, 999), min_size=1
).map(Counts)
SYMPTOMS = st.dictionaries(
    st.sampled_from(["fail", "hang", "crash", "sub:a", "crash:WARNING in foo", "output:0123abcd"]),
    st.integers(1, 9).map(Seen),
    max_size=3,
)
ENTRIES = st.dictionaries(NAMES, st.builds(Entry, COUNTS, symptoms=SYMPTOMS), max_size=6)
