"""The deadline of a test, after which it counts as hung; adapts to earlier durations."""

from __future__ import annotations

STALLED = 10.0
"""Multiple of the usual duration after which a test counts as hung."""
LEAST = 300.0
UNKNOWN = 3600.0
"""Seconds for a test that has never run."""
KNOWN_STALLED = 3.0
"""The same for known failures, which are not worth a long wait."""
KNOWN_LEAST = 60.0
KNOWN_UNKNOWN = 600.0


def deadline(usual: float | None, *, known: bool = False) -> float:
    """Seconds that a test may take on an accelerated guest. `usual`: its earlier duration."""
    if known:
        return KNOWN_UNKNOWN if usual is None else max(KNOWN_LEAST, KNOWN_STALLED * usual)
    return UNKNOWN if usual is None else max(LEAST, STALLED * usual)
