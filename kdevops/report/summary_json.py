"""The end of a run, for a program."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from kdevops.report import words
from kdevops.report.counts_table import by_suite
from kdevops.report.kernels import described
from kdevops.report.troubles import label_of, troubles
from kdevops.results import imported
from kdevops.results.baselines.allowed_reports import facts
from kdevops.results.compare import Verdict
from kdevops.results.decision.decide import Decided
from kdevops.results.decision.interval import wilson
from kdevops.results.decision.outlook import still_to_go
from kdevops.results.model import Counts, Status
from kdevops.results.store import JSON, Run
from kdevops.results.verdict import Arm, Judged, RunVerdict
from kdevops.text import clean


def summary_json(run: Run, verdict: RunVerdict, *, kernel: str = "", directory: Path | None = None) -> dict[str, JSON]:
    """All there is to say at the end of a run; every planned test is in it.

    `was` counts our own results by status, null when there are none; `expunged` tests are on an expunge list. `known_from`
    says which lists, and how many tests they have. `arms` has both runs where two kernels were compared, else null;
    `baseline_status` is then how the test ended with the other one. `reports` are what the kernel said: those that gate and
    are not known make the run red; `allowed` is the entry of `reports.yaml` by which one is known, and `allowed_reports` has
    the entries that ended or end soon. `absent` are tests that the baseline saw run and that were not planned, `why` null
    where nothing explains it. `skipped_now` are tests that ran before and skip now, `allowed` the lab's rule that allows it,
    else null: those make the run incomplete. `unwatched` are tests during which the kernel's messages could not be read, the
    first of them by name. `suites_from` has the distributions that suites which are not ours are from. `imported` says of
    results that others produced when the tests of each profile ran and what is known of their machine, else null.
    """
    return {
        "run": run.id,
        "lab": run.lab,
        "state": run.state.value,
        "created": run.created,
        "ended": run.ended,
        "imported": imported.facts_json(run),
        "kernel": clean(kernel),
        "directory": str(directory) if directory else None,
        "verdict": words.headline(run, verdict),
        "exit_code": int(verdict.exit_code),
        "judged_by": verdict.judged_by or None,
        "complete": verdict.complete,
        "ran": verdict.ran,
        "boot_failure": asdict(verdict.boot_failure) if verdict.boot_failure else None,
        **_json_counts(verdict.counts),
        "suites_from": dict(run.record.get("suites_from", {})),
        "known_from": words.known_from(run),
        "arms": _json_arms(run, verdict),
        "reports": [
            {
                "signature": each.name,
                "said": each.label,
                "times": each.times,
                "tests": len(each.tests),
                "beside": list(each.beside),
                "allowed": dict(facts(each.rule)) if each.rule else None,
            }
            for each in troubles(verdict)
        ],
        "unwatched": {
            "count": verdict.unwatched.count,
            "tests": [str(test) for test in verdict.unwatched.tests],
        },
        "allowed_reports": {
            "ended": [dict(facts(each)) for each in verdict.allowed.ended],
            "ending": [dict(facts(each)) for each in verdict.allowed.ending],
        },
        "ever_ran": len(verdict.ever_ran),
        "absent": [
            {"suite": test.suite, "profile": test.profile, "name": test.name, "why": why or None}
            for test, why in sorted(verdict.absent.items())
        ],
        "skipped_now": [
            {
                "suite": each.test.suite,
                "profile": each.test.profile,
                "name": each.test.name,
                "reason": clean(each.outcome.reason),
                "allowed": each.allowed or None,
            }
            for each in verdict.of(Verdict.SKIPPED_NOW)
        ],
        "suites": [
            {
                "suite": suite,
                "profile": profile,
                "baseline": verdict.compared.get((suite, profile)),
                **_json_counts(counts),
            }
            for (suite, profile), counts in by_suite(verdict).items()
        ],
        "tests": [_json_test(each, verdict.arm) for each in verdict.tests],
    }


def _json_counts(counts: Counts) -> dict[str, JSON]:
    return {"planned": counts.total, "counts": {status.value: counts[status] for status in Status}}


def _json_arms(run: Run, verdict: RunVerdict) -> dict[str, JSON] | None:
    if not verdict.arm:
        return None
    arms = {"baseline": (verdict.arm.run, verdict.arm.counts), "dev": (run, verdict.counts)}
    kernels = described(*(each for each, _ in arms.values()))
    return {
        name: {"run": each.id, "lab": each.lab, "state": each.state.value, "kernel": kernel, **_json_counts(counts)}
        for (name, (each, counts)), kernel in zip(arms.items(), kernels, strict=True)
    }


def _json_decided(decided: Decided | None) -> dict[str, JSON] | None:
    """What reruns say: how often the test was bad and ran, and the interval (95 %) of that rate, on each side."""
    if decided is None:
        return None
    sides = {"now": decided.now, "before": decided.before}
    return {
        "decision": decided.decision.value,
        "runs_to_go": still_to_go(decided),
        **{
            side: {"bad": bad, "runs": runs, "interval": [round(end, 4) for end in wilson(bad, runs)]}
            for side, (bad, runs) in sides.items()
        },
    }


def _json_test(judged: Judged, arm: Arm | None) -> dict[str, JSON]:
    outcome, before = judged.outcome, judged.before
    beside = arm.outcomes.get(judged.test) if arm else None
    return {
        "suite": judged.test.suite,
        "profile": judged.test.profile,
        "name": judged.test.name,
        "verdict": judged.verdict.value,
        "status": outcome.status.value,
        "baseline_status": beside.status.value if beside else None,
        "was": {status.value: n for status, n in before.ours.counts.items()} if before and before.ours.total else None,
        "decided": _json_decided(judged.decided),
        "expunged": bool(before and before.expunged),
        "note": clean(before.note) if before else "",
        "seconds": outcome.seconds,
        "reason": clean(outcome.reason),
        "unknown": list(judged.unknown),
        "guest": clean(outcome.guest),
        "output": clean(outcome.output),
        "oops": words.oops_title(outcome.oops),
        "reports": [
            {
                "kind": each.report.kind,
                "signature": each.signature,
                "title": clean(each.report.title),
                "gates": each.report.gates,
                "known": each.known,
                "said": label_of(each, outcome.status),
            }
            for each in judged.complaints
        ],
        "reports_cut": outcome.reports_cut,
    }
