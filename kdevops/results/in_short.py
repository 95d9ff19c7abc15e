"""A verdict in a few words, which the store keeps for the list of runs."""

from __future__ import annotations

from kdevops.results.compare import Verdict
from kdevops.results.model import Status
from kdevops.results.verdict import RunVerdict


def in_short(verdict: RunVerdict) -> str:
    """What makes the exit code first, then what is known: "regressed 2, known failures 5"."""
    if verdict.boot_failure:
        return "does not boot"
    found = {
        "regressed": len(verdict.of(Verdict.REGRESSED)),
        "new failures": sum(each.outcome.status.is_bad for each in verdict.of(Verdict.NEW)),
        "kernel reports": len(verdict.troubles),
        "undecided": len(verdict.undecided),
        "missing": verdict.counts[Status.MISSING],
        "skipped now": len(verdict.skipped_now),
        "not planned": len(verdict.lost),
        "unwatched": verdict.unwatched.count,
    }
    beside = ["baseline kernel incomplete"] if verdict.arm and not verdict.arm.complete else []
    nothing = ["nothing regressed" if verdict.ran else "nothing ran"]
    first = beside if any(found.values()) else beside or nothing
    found |= {
        "flakes": len(verdict.of(Verdict.FLAKE, Verdict.KNOWN_FLAKE)),
        "known failures": len(verdict.of(Verdict.KNOWN_FAILURE)),
        "fixed": len(verdict.of(Verdict.FIXED)),
    }
    return ", ".join([*first, *(f"{name} {number}" for name, number in found.items() if number)])
