"""When a test is taken to be hung: a rule that adapts to what the test took before."""

from __future__ import annotations

STALLED = 10.0
"""Times its usual duration after which a test is taken to hang."""
LEAST = 300.0
UNKNOWN = 3600.0
"""Seconds for a test that nobody has seen run."""
KNOWN_STALLED = 3.0
"""The same for a test that is known to fail: nobody waits long for it."""
KNOWN_LEAST = 60.0
KNOWN_UNKNOWN = 600.0


def deadline(usual: float | None, *, known: bool = False) -> float:
    """Seconds that a test may take on an accelerated guest, of which `usual` is what it took before."""
    if known:
        return KNOWN_UNKNOWN if usual is None else max(KNOWN_LEAST, KNOWN_STALLED * usual)
    return UNKNOWN if usual is None else max(LEAST, STALLED * usual)
