"""Describe the kernel of a run in one line, and how the kernels of several runs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kdevops.results.store import Run
from kdevops.text import clean

_DIGITS = 12
_MAX_PATCHES = 5


def described(*runs: Run) -> tuple[str, ...]:
    """The kernel of each run, with the facts that differ between them."""
    records = [run.record for run in runs]
    told = [[kernel(record)] if "kernel" in record else [] for record in records]
    for fact in (config, _compiler, _parameters):
        _tell_apart(told, [fact(record) for record in records])
    if all(parts == told[0] for parts in told):
        _tell_apart(told, [_build(record) for record in records])
    return tuple(clean(", ".join(part for part in parts if part)) for parts in told)


def kernel(record: Mapping[str, Any]) -> str:
    """Release, architecture (if others ran it), origin, commit and patches of a run's kernel."""
    facts = record["kernel"]
    origin = facts.get("source") or (f"package {facts['package']}" if facts.get("package") else "")
    if facts.get("prebuilt"):
        origin = f"prebuilt, sha256 {facts['sha256'][:_DIGITS]}"
    parts = [facts["release"], facts.get("machine", ""), origin, commit(facts)]
    if patches := [patch["name"] for patch in facts.get("patches", [])]:
        more = f" and {len(patches) - _MAX_PATCHES} more" if len(patches) > _MAX_PATCHES else ""
        parts.append(f"with {', '.join(patches[:_MAX_PATCHES])}{more}")
    return ", ".join(part for part in parts if part)


def commit(record: Mapping[str, Any]) -> str:
    """The commit in `record`, and whether there were local changes; "" if unknown."""
    name = (record.get("commit") or "")[:_DIGITS]
    if not name:
        return ""
    return f"commit {name}" + (" with local changes" if record.get("diff_sha256") else "")


def config(record: Mapping[str, Any]) -> str:
    """The base, fragments and options of a kernel's configuration; "" for a kernel that we did not build."""
    made = _spec(record).get("config")
    return ", ".join([made["base"], *made["fragments"], *made["options"]]) if made else ""


def _tell_apart(told: Sequence[list[str]], facts: Sequence[str]) -> None:
    if len(set(facts)) > 1:
        for parts, fact in zip(told, facts, strict=True):
            parts.append(fact)


def _compiler(record: Mapping[str, Any]) -> str:
    return str(_spec(record).get("compiler", ""))


def _parameters(record: Mapping[str, Any]) -> str:
    words = record.get("lab", {}).get("kernel", {}).get("cmdline", [])
    return f"parameters {' '.join(words)}" if words else "no parameters"


def _build(record: Mapping[str, Any]) -> str:
    built = record.get("kernel", {})
    name = built.get("build_id") or built.get("key")
    return f"build {name[:_DIGITS]}" if name else ""


def _spec(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return record.get("kernel", {}).get("spec") or {}
