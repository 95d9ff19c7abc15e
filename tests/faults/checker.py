"""Judges a round from outside: what is in the store and what the commands printed, against the answers that are known.

It shares no logic with kdevops, whose word it does not take for anything.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.faults.control import Answer
from tests.faults.lab import Known
from tests.faults.processes import Process
from tests.faults.store import Execution, Record

_BAD = frozenset({"fail", "crash", "hang"})
_STATUSES = ("pass", "fail", "skip", "crash", "hang", "missing")
_KILLED = (-9, 130)
"""By SIGKILL and by SIGINT, which the command line turns into what shells say of it."""
_DONE, _REGRESSION, _INFRASTRUCTURE, _INCOMPLETE = 0, 1, 3, 4


class Sin(StrEnum):
    """What must not happen to a run, whatever happens around it."""

    LOST = "lost"
    HIDDEN = "hidden"
    STUCK = "stuck"
    WRONGLY_CHARGED = "wrongly charged"
    AT_ONCE = "twice at once"
    LEFT_OVER = "left over"
    INCONSISTENT = "inconsistent"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    sin: Sin
    text: str

    def __str__(self) -> str:
        return f"{self.sin}: {self.text}"


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a round left. `answers` are the commands that ran the tests, in order; `results` and `down` came after them.

    `after_run` are processes that outlived a run whose guests were not to be kept, `after_down` those that outlived all.
    """

    record: Record
    executions: Mapping[str, Sequence[Execution]]
    answers: Sequence[Answer]
    results: Answer
    down: Answer
    after_run: Sequence[Process]
    after_down: Sequence[Process]
    directory: Path

    @property
    def final(self) -> Answer:
        """The word of the last command that ran tests; where it was killed after the run's end, the results stand for it."""
        return self.results if self.answers[-1].code in _KILLED else self.answers[-1]


def check(seen: Seen, known: Mapping[str, Known]) -> list[Finding]:
    """Everything that is wrong with a round that came to its end."""
    return [
        *_plan(seen.record, known),
        *_charges(seen, known),
        *_evidence(seen, known),
        *_at_once(seen.executions),
        *_told(seen),
        *_left_over(seen),
    ]


def _plan(record: Record, known: Mapping[str, Known]) -> list[Finding]:
    found = []
    if record.runs != 1:
        found.append(Finding(Sin.INCONSISTENT, f"the store has {record.runs} runs"))
    if Counter(record.planned) != Counter(known.keys()):
        found.append(Finding(Sin.LOST, f"planned are {sorted(record.planned)}"))
    for name in known:
        if name not in record.statuses:
            found.append(Finding(Sin.LOST, f"{name} has no status"))
        elif record.ends[name] != 1:
            found.append(Finding(Sin.INCONSISTENT, f"{name} ended {record.ends[name]} times by the journal"))
    return found


def _charges(seen: Seen, known: Mapping[str, Known]) -> list[Finding]:
    found = []
    told = bool(seen.record.trouble) and seen.final.code in {_REGRESSION, _INFRASTRUCTURE, _INCOMPLETE}
    for name, status in seen.record.statuses.items():
        answer = known[name].answer
        text = f"{name} is {status} ({seen.record.reasons[name]}), right is {answer}"
        if status == answer:
            continue
        if status == "missing":
            found += [] if told else [Finding(Sin.LOST, f"{text}, and no trouble was told")]
        elif answer in _BAD and status not in _BAD:
            found.append(Finding(Sin.HIDDEN, text))
        else:
            found.append(Finding(Sin.WRONGLY_CHARGED, text))
    return found


def _evidence(seen: Seen, known: Mapping[str, Known]) -> list[Finding]:
    """A test that passed, failed or was skipped has printed its end, and it is kept; a report is where it belongs."""
    found = []
    record = seen.record
    for name, status in record.statuses.items():
        if status in ("pass", "fail", "skip"):
            path = seen.directory / record.outputs[name]
            text = path.read_text(errors="replace") if record.outputs[name] and path.is_file() else ""
            if f"faults: end {name} " not in text:
                found.append(Finding(Sin.LOST, f"{name} is {status}, and the end of its output was not kept"))
        if known[name].report and status == "pass" and name not in record.gating:
            found.append(Finding(Sin.HIDDEN, f"the kernel's WARNING under {name} is not in the store"))
        elif not known[name].report and known[name].answer != "crash" and name in record.gating:
            found.append(Finding(Sin.WRONGLY_CHARGED, f"{name} is said to have made the kernel complain"))
    return found


def _at_once(executions: Mapping[str, Sequence[Execution]]) -> list[Finding]:
    found = []
    for name, each in executions.items():
        in_order = sorted(each, key=lambda execution: execution.first)
        for earlier, later in itertools.pairwise(in_order):
            if later.first <= earlier.last:
                text = f"{name} ran as {earlier.boot}/{earlier.pid} and as {later.boot}/{later.pid} at {later.first}"
                found.append(Finding(Sin.AT_ONCE, text))
    return found


def _told(seen: Seen) -> list[Finding]:
    """What the commands said is what the store has, and each other's."""
    found = [
        Finding(Sin.INCONSISTENT, f"`kdevops {each.verb}`: {each.stderr.strip()[-300:]}")
        for each in (*seen.answers, seen.results, seen.down)
        if "Traceback" in each.stderr or "this is a bug in kdevops" in each.stderr
    ]
    if seen.down.code != _DONE:
        found.append(Finding(Sin.INCONSISTENT, f"`kdevops down` answered {seen.down.code}"))
    last, record = seen.final, seen.record
    counts = Counter(record.statuses.values())
    right = _exit_codes(counts, record)
    for answer in (last, seen.results):
        if not isinstance(answer.data, dict) or "tests" not in answer.data:
            found.append(Finding(Sin.INCONSISTENT, f"`kdevops {answer.verb}` printed no results, code {answer.code}"))
            continue
        found += [
            Finding(Sin.INCONSISTENT, f"`kdevops {answer.verb}`: {text}") for text in _faults(answer, record, right)
        ]
    if last.code != seen.results.code:
        found.append(Finding(Sin.INCONSISTENT, f"the run answered {last.code}, its results {seen.results.code}"))
    if _plain(last.data) != _plain(seen.results.data):
        found.append(Finding(Sin.INCONSISTENT, "the results say something else than the run"))
    return found


def _exit_codes(counts: Counter[str], record: Record) -> set[int]:
    """A kernel report is red; a failure that nobody knows, on which no rerun has decided, is open."""
    if record.gating:
        return {_REGRESSION}
    if any(counts[status] for status in _BAD):
        return {_INCOMPLETE}
    return {_INFRASTRUCTURE, _INCOMPLETE} if counts["missing"] else {_DONE}


def _faults(answer: Answer, record: Record, right: set[int]) -> list[str]:
    data: dict[str, Any] = answer.data
    found = []
    if {each["name"]: each["status"] for each in data["tests"]} != record.statuses:
        found.append("its tests are not those of the store")
    counts = Counter(record.statuses.values())
    told = {status: data["counts"][status] for status in _STATUSES}
    if told != {status: counts[status] for status in _STATUSES} or data["planned"] != sum(told.values()):
        found.append(f"it counts {told}, the store has {dict(counts)}")
    if answer.code not in right:
        found.append(f"exit code {answer.code} for {dict(counts)}, right is one of {sorted(right)}")
    if data["complete"] != (counts["missing"] == 0):
        found.append(f"complete is {data['complete']} with {counts['missing']} missing")
    return found


def _plain(data: object) -> object:
    return {key: value for key, value in data.items() if key != "error"} if isinstance(data, dict) else data


def _left_over(seen: Seen) -> list[Finding]:
    return [
        Finding(Sin.LEFT_OVER, f"after {when}: process {each.pid}, {each.kind}, {each.command[:200]}")
        for when, rest in (("the run", seen.after_run), ("down", seen.after_down))
        for each in rest
    ]
