"""`kdevops results`: the runs there are, and what became of their tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.errors import UserError

if TYPE_CHECKING:
    from kdevops.results.store import Run, Store


@click.command()
@click.argument("number", metavar="[RUN]", type=int, required=False)
@click.option(
    "--test", "name", metavar="TEST", help="One test of the run, with all it printed: suite/profile/name, or a part."
)
@click.option(
    "--format", "kind", type=click.Choice(["text", "junit", "ktap"]), default="text", help="How to tell the run."
)
@json_option
@common_options
@pass_context
def results(context: Context, number: int | None, name: str | None, kind: str) -> int | None:
    """List the runs, or tell what came out of RUN."""
    from kdevops.paths import state_dir
    from kdevops.results.store import Store

    with Store(state_dir()) as store:
        if number is None:
            _list(context, store)
            return None
        run = store.run(number)
        if name is not None:
            _one(context, store, run, name)
            return None
        return _whole(context, store, run, kind)


def _list(context: Context, store: Store) -> None:
    from kdevops.results.model import Counts, Status

    runs = store.runs()
    tables = {run.id: Counts.of(outcome.status for outcome in store.outcomes(run.id).values()) for run in runs}
    facts = [
        {"id": run.id, "lab": run.lab, "state": run.state.value, "created": run.created, "ended": run.ended}
        | {
            "kernel": run.record.get("kernel", {}).get("release"),
            "counts": {s.value: tables[run.id][s] for s in Status},
        }
        for run in runs
    ]
    lines = [
        f"{run.id:>4}  {run.created[:16].replace('T', ' ')}  {run.lab:<16}  {run.state:<11}  "
        + "  ".join(f"{status} {tables[run.id][status]}" for status in Status if tables[run.id][status])
        for run in runs
    ]
    context.emit(facts, lines or ["no run yet"])


def _whole(context: Context, store: Store, run: Run, kind: str) -> int:
    from rich.console import Console

    from kdevops.report.summary import summary, summary_json
    from kdevops.run.places import Places
    from kdevops.run.session import judge, kernel_release

    verdict = judge(store, run)
    facts = {"kernel": kernel_release(run), "directory": Places.default().run(run.id)}
    if context.json:
        click.echo(json.dumps(summary_json(run, verdict, **facts), indent=2))  # type: ignore[arg-type]
    elif kind == "junit":
        from kdevops.report.junit import junit

        click.echo(junit(run, verdict))
    elif kind == "ktap":
        from kdevops.report.ktap import ktap

        click.echo(ktap(verdict), nl=False)
    else:
        Console(highlight=False).print(summary(run, verdict, **facts))  # type: ignore[arg-type]
    return verdict.exit_code


def _one(context: Context, store: Store, run: Run, name: str) -> None:
    from dataclasses import asdict

    from kdevops.lab.explain import nearest
    from kdevops.results.text import clean
    from kdevops.run.places import Places

    outcomes = {str(test): outcome for test, outcome in store.outcomes(run.id).items()}
    fitting = [name] if name in outcomes else [test for test in outcomes if name in test]
    if len(fitting) != 1:
        found = f"{len(fitting)} tests fit {name}: {', '.join(fitting[:5])}" if fitting else f"no test {name}"
        raise UserError(f"run {run.id}: {found}{'' if fitting else nearest(name, outcomes)}")
    outcome = outcomes[fitting[0]]
    path = Places.default().run(run.id) / outcome.output if outcome.output else None
    lines = [f"{fitting[0]}: {outcome.status} after {outcome.seconds:.1f} s on {outcome.guest}"]
    lines += [f"reason: {outcome.reason}"] if outcome.reason else []
    lines += [f"  {subtest.status:<5} {subtest.name}  {subtest.reason}".rstrip() for subtest in outcome.subtests]
    lines += ["", "the kernel said:", outcome.oops] if outcome.oops else []
    if path and path.is_file():
        lines += ["", f"output ({path}):", clean(path.read_text(errors="replace"), lines=True)]
    context.emit({"test": fitting[0], **asdict(outcome), "output": str(path) if path else None}, lines)
