"""`kdevops results`: list runs and show their test results."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from kdevops.cli.bundle import export
from kdevops.cli.check import check
from kdevops.cli.history import history
from kdevops.cli.listing import LIMIT, check_lab, print_list
from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.cli.output import print_json, writing
from kdevops.cli.prune import prune
from kdevops.cli.removal import remove
from kdevops.cli.results_import import import_
from kdevops.errors import InfrastructureError, UserError
from kdevops.results.model import Status

if TYPE_CHECKING:
    from kdevops.results.store import Run, Store
    from kdevops.results.verdict import RunVerdict


_LISTED = (
    *map(str, Status),
    "ok", "known-failure", "regressed", "inconclusive", "flake", "known-flake", "fixed", "new", "skipped-now",
)  # fmt: skip
"""Every status and verdict; verdicts are spelled out, because shell completion must not import heavy modules."""


class _ResultsGroup(click.Group):
    """`kdevops results` and `kdevops results 7` mean `kdevops results show …`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the verb `show` if there is none."""
        completing = ctx.resilient_parsing and not args  # the shell asks for the verbs
        if not completing and (not args or args[0] not in {*self.commands, *ctx.help_option_names}):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ResultsGroup)
def results() -> None:
    """Show runs and their test results; import results made elsewhere.

    `kdevops results` lists the runs; `kdevops results 7` shows the results of run 7 and exits with its exit code.
    """


results.add_command(check)
results.add_command(export)
results.add_command(history)
results.add_command(prune)
results.add_command(remove)
results.add_command(import_)


@results.command()
@click.argument("number", metavar="[RUN]", type=int, required=False)
@click.option(
    "--test",
    "name",
    metavar="TEST",
    help="Show one test and its output: suite/profile/name or a part of it; several matches are listed, one per line.",
)
@click.option(
    "--list",
    "which",
    metavar="STATUS",
    type=click.Choice(_LISTED),
    help=f"List tests by status or verdict: {', '.join(_LISTED)}.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "mail", "junit", "ktap"]),
    help="Output format; mail is plain text to paste: what was tested, a line per profile, why tests skipped.",
)
@click.option(
    "--judge", "anew", is_flag=True, help="Judge RUN by the present baseline, and say what that changes, for this once."
)
@click.option("--lab", metavar="NAME", help="Only runs of this lab.")
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=0), help=f"List at most N runs; default {LIMIT}, 0 lists all."
)
@json_option
@common_options
@pass_context
def show(
    context: Context,
    number: int | None,
    name: str | None,
    which: str | None,
    kind: str | None,
    lab: str | None,
    limit: int | None,
    *,
    anew: bool,
) -> int | None:
    """List runs, or show the results of RUN (default with an option: the last finished run).

    The list has the newest runs first, each with its verdict as it was judged last.

    Showing a run exits with its exit code, as `kdevops run` did: 1 for a regression, 3 if kdevops gave up on its guests, 4
    for an incomplete run or lost coverage. The list of runs, --test and --list exit with 0. A run is judged by the baseline as
    it was when the run ended: accepting something later does not change its verdict.
    """
    from kdevops.paths import state_dir
    from kdevops.results.store import Store

    _check_options(as_json=context.json, anew=anew, name=name, which=which, kind=kind)
    listing = number is None and name is None and which is None and kind is None and not anew
    if limit is not None and not listing:
        raise UserError("--limit is for the list of runs", hint="leave it out, or give no RUN and no other option")
    if number is not None and lab is not None:
        raise UserError(f"--lab {lab} and run {number}: both select runs", hint="give one of them")
    with Store(state_dir()) as store:
        if listing:
            print_list(context, store, lab, LIMIT if limit is None else limit)
            return None
        run = _as_it_is(store, store.run(number)) if number is not None else _last(store, lab)
        if name is not None:
            _some(context, store, run, name)
        elif which is not None:
            _listed(context, store, run, which)
        else:
            return _whole(context, store, run, kind, anew=anew)
    return None


def _check_options(*, as_json: bool, anew: bool, name: str | None, which: str | None, kind: str | None) -> None:
    given = {
        f"--format {kind}": kind is not None,
        "--test": name is not None,
        "--list": which is not None,
        "--json": as_json and kind is not None,
        "--judge": anew and (name is not None or which is not None),
    }
    if len(names := [option for option, said in given.items() if said]) > 1:
        raise UserError(f"{names[0]} and {names[1]} contradict each other", hint="give one of them")


def _last(store: Store, lab: str | None) -> Run:
    """The last run (of one lab, or of all) that has ended, or that stopped because kdevops gave up on its guests."""
    from kdevops.results.listing import listed
    from kdevops.run.plan.record import trouble_of

    if lab is not None:
        check_lab(store, lab)
    runs = (store.run(each.id) for each in listed(store, lab))
    run = next((run for run in runs if run.ended or trouble_of(run)), None)
    if run is None:
        raise UserError("there is no finished run", hint="start one with: kdevops run; list all with: kdevops results")
    state = "the last finished run" if run.ended else f"{run.state}"
    click.echo(f"run {run.id} of lab {run.lab}, {state}", err=True)
    return run


def _as_it_is(store: Store, run: Run) -> Run:
    """The run, as interrupted if the store has it as running here but its lab is not locked: kdevops was killed."""
    from kdevops.results.model import RunState
    from kdevops.run.dirs import Dirs
    from kdevops.run.lock import is_held

    going_on = run.state in {RunState.PLANNED, RunState.RUNNING} and store.is_here(run.id)
    if going_on and not is_held(Dirs.default().lab(run.lab)):
        return replace(run, state=RunState.INTERRUPTED)
    return run


def _whole(context: Context, store: Store, run: Run, kind: str | None, *, anew: bool) -> int:
    from kdevops.report.changes import changed, changes_json, changes_text
    from kdevops.report.summary import print_summary
    from kdevops.report.summary_json import summary_json
    from kdevops.run.dirs import Dirs
    from kdevops.run.judging import judge, trouble_behind
    from kdevops.run.plan.record import kernel_release

    verdict = judge(store, run, whole=kind in {"junit", "ktap"}, anew=anew)
    if not anew:
        _keep(store, run, verdict)
    changes = changed(judge(store, run), verdict) if anew else None
    directory = Dirs.default().run(run.id)
    facts = {"kernel": kernel_release(run), "directory": directory if directory.exists() else None}
    trouble = trouble_behind(run, verdict)
    if trouble and context.json:
        trouble.data = summary_json(run, verdict, **facts) | changes_json(changes)  # type: ignore[arg-type]
    elif context.json:
        print_json(summary_json(run, verdict, **facts) | changes_json(changes))  # type: ignore[arg-type]
    elif kind in {None, "text"}:
        with writing():
            print_summary(run, verdict, **facts)  # type: ignore[arg-type]
            if changes is not None:
                click.echo("".join(f"{line}\n" for line in changes_text(changes)), nl=False)
    else:
        text = _formatted(store, run, verdict, str(kind))
        with writing():
            click.echo(text, nl=kind == "junit")
    if trouble:
        raise trouble
    return verdict.exit_code


def _keep(store: Store, run: Run, verdict: RunVerdict) -> None:
    """Let what is shown of an ended run be its verdict from now on."""
    from kdevops.run.evidence import keep_evidence
    from kdevops.run.judging import keep_in_short

    with contextlib.suppress(InfrastructureError):  # what is shown does not depend on it: a full disk
        if run.ended and not verdict.judged_by:
            asyncio.run(keep_evidence(store, run.id))
        keep_in_short(store, run, verdict)


def _formatted(store: Store, run: Run, verdict: RunVerdict, kind: str) -> str:
    if kind == "mail":
        from kdevops.report.mail import mail
        from kdevops.results.store import Kind

        troubles = [entry.text for entry in store.journal(run.id) if entry.kind is Kind.INFRASTRUCTURE]
        return mail(run, verdict, troubles=troubles)
    if kind == "junit":
        from kdevops.report.junit import junit

        return junit(run, verdict)
    from kdevops.report.ktap import ktap

    return ktap(verdict)


def _some(context: Context, store: Store, run: Run, name: str) -> None:
    from kdevops.report import single
    from kdevops.report.fitting import fitting, near
    from kdevops.run.dirs import Dirs

    outcomes = store.outcomes(run.id)
    tests = fitting(name, outcomes)
    if not tests:
        raise UserError(
            f"run {run.id}: no test {name}; {near(name, outcomes)}",
            hint=f"list all tests with: kdevops results {run.id} --json",
        )
    directory = Dirs.default().run(run.id)
    found = [single.facts(test, outcome, directory) for test, outcome in tests.items()]
    context.emit(found[0] if len(found) == 1 else found, single.told(run.id, tests, directory))


def _listed(context: Context, store: Store, run: Run, which: str) -> None:
    from kdevops.report import single
    from kdevops.run.dirs import Dirs
    from kdevops.run.judging import judge

    verdict = judge(store, run, whole=context.json)
    _keep(store, run, verdict)
    tests = {
        each.test: each.outcome for each in verdict.tests if which in {each.outcome.status.value, each.verdict.value}
    }
    directory = Dirs.default().run(run.id)
    context.emit(
        [single.facts(test, outcome, directory) for test, outcome in tests.items()],
        single.listed(tests),
    )
