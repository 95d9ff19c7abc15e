"""`kdevops run`, `resume`, `rerun`: run a lab's tests and print the verdict."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from kdevops.cli import budget
from kdevops.cli.choice import Choice, choice_options, chosen
from kdevops.cli.options import (
    Context,
    common_options,
    json_option,
    lab_argument,
    pass_context,
    set_option,
    yes_option,
)
from kdevops.cli.output import print_json, writing
from kdevops.errors import KdevopsError, UserError

if TYPE_CHECKING:
    from kdevops.report.live import Display
    from kdevops.run.session import Ended
    from kdevops.run.spending import Limits

_keep = click.option("--keep", is_flag=True, help="Keep the guests running afterwards.")


@click.command()
@lab_argument
@click.argument("names", metavar="[TEST]...", nargs=-1)
@set_option
@choice_options
@click.option("--only", metavar="GLOB", multiple=True, help="Run only matching tests: selftests/*, futex:*, …")
@click.option("--failures-of", metavar="RUN", type=int, help="Run only tests that failed or have no result in RUN.")
@click.option(
    "--fresh-baseline",
    is_flag=True,
    help="Run the tests on the kernel of `compare` again, even if the store has their results.",
)
@budget.rerun_budget_option
@_keep
@yes_option
@json_option
@common_options
@pass_context
def run(
    context: Context,
    /,
    *,
    names: tuple[str, ...],
    only: tuple[str, ...],
    failures_of: int | None,
    fresh_baseline: bool,
    rerun_budget: str | None,
    keep: bool,
    **fields: Any,
) -> int:
    """Run the tests of LAB and report regressions. Makes the image, the kernel and the guests first if needed.

    A lab with `compare` runs the tests on two kernels, the baseline first, and reports the differences.

    TEST selects tests to run instead of all: generic/001 or 'xfs/*' of fstests, or a glob as with --only. --set, -g, -x
    and --only may be repeated.

    \b
      kdevops run                                     lab.yaml in this directory
      kdevops run labs/xfs.yaml -g quick -x dangerous
      kdevops run labs/xfs.yaml generic/475 --count 20
      kdevops run labs/xfs.yaml --failures-of 7
    """
    from kdevops.cli.guests import both_arms
    from kdevops.run import arms
    from kdevops.run.dirs import Dirs

    if names and only:
        raise UserError(f"{names[0]} and --only {only[0]}: both select tests", hint="give all of them as TEST")
    loaded, globs = chosen(context, Choice(**fields), names)
    if fresh_baseline and not loaded.lab.compare:
        raise UserError(
            f"--fresh-baseline is for a lab with two kernels, and {loaded.path} has no `compare`",
            hint="set the kernel to compare with: --set compare.kernel.source.package=linux-source-6.1",
        )
    limits = budget.limits(rerun_budget) if rerun_budget is not None else None

    async def work(display: Display) -> Ended:
        run = arms.start(
            loaded,
            Dirs.default(),
            display,
            only=globs or only,
            failures_of=failures_of,
            persist=keep,
            fresh_baseline=fresh_baseline,
        )
        return await _decided(run, limits, display)

    return watch(context, work, both_arms(loaded))


@click.command()
@click.argument("number", metavar="[RUN]", type=int, required=False)
@click.option("--end", is_flag=True, help="Run no more tests: end RUN now; tests without a result count as missing.")
@_keep
@yes_option
@json_option
@common_options
@pass_context
def resume(context: Context, number: int | None, *, end: bool, keep: bool) -> int:
    """Continue RUN (default: the last interrupted run). Finished tests do not run again.

    For a comparison of two kernels, this continues both runs.
    """
    from kdevops.run import arms, session
    from kdevops.run.dirs import Dirs

    chosen = number if number is not None else _last_open()
    if end:
        return watch(context, lambda _: session.end(chosen, Dirs.default()))
    return watch(
        context, lambda display: _decided(arms.resume(chosen, Dirs.default(), display, persist=keep), None, display)
    )


@click.command()
@click.argument("number", metavar="RUN", type=int)
@_keep
@yes_option
@json_option
@common_options
@pass_context
def rerun(context: Context, number: int, *, keep: bool) -> int:
    """Repeat RUN with the same lab, kernel and tests.

    The run it was compared with is not repeated.
    """
    from kdevops.run import session
    from kdevops.run.dirs import Dirs

    return watch(
        context, lambda display: _decided(session.rerun(number, Dirs.default(), display, persist=keep), None, display)
    )


async def _decided(run: Awaitable[Ended], limits: Limits | None, display: Display) -> Ended:
    """The end of a run, once its failures are decided that nobody knows, if its lab wants that."""
    from kdevops.run.decide import decide_after
    from kdevops.run.dirs import Dirs

    return await decide_after(await run, limits, Dirs.default(), display)


def _last_open() -> int:
    from kdevops.paths import state_dir
    from kdevops.results.store import Store

    with Store(state_dir()) as store:
        for each in store.runs():
            if each.ended is None and store.is_here(each.id):
                return each.id
    raise UserError("there is no interrupted run to resume", hint="list the runs with: kdevops results")


def watch(context: Context, work: Callable[[Display], Awaitable[Ended]], more: Sequence[str] = ()) -> int:
    """Do `work` under the live display and print its summary. Progress goes to stderr, the result to stdout."""
    from rich.console import Console

    from kdevops.report.live import Display

    async def main() -> Ended:
        with Display(Console(stderr=True, highlight=False), ask=context.asker(more)) as display:
            return await work(display)

    from kdevops.run.judging import trouble_behind

    ended = asyncio.run(main())
    _tell_waiting()
    trouble = trouble_behind(ended.run, ended.verdict)
    if trouble and context.json:
        trouble.data = _as_json(ended)
    else:
        _tell(context, ended)
    if trouble:
        raise trouble
    return ended.verdict.exit_code


def _tell_waiting() -> None:
    """Say which results a team's database, which is away, has not taken; the run's verdict does not depend on that."""
    from kdevops.cli.listing import tell_waiting
    from kdevops.paths import state_dir
    from kdevops.results.opening import is_of_a_team
    from kdevops.results.store import Store

    if is_of_a_team():
        with contextlib.suppress(KdevopsError), Store(state_dir()) as store:
            tell_waiting(store)


def _as_json(ended: Ended) -> dict[str, Any]:
    from kdevops.report.summary_json import summary_json
    from kdevops.run.dirs import Dirs
    from kdevops.run.plan.record import kernel_release

    directory = Dirs.default().run(ended.run.id)
    return summary_json(ended.run, ended.verdict, kernel=kernel_release(ended.run), directory=directory)


def _tell(context: Context, ended: Ended) -> None:
    if context.json:
        print_json(_as_json(ended))
        return
    from kdevops.report.summary import print_summary
    from kdevops.run.dirs import Dirs
    from kdevops.run.plan.record import kernel_release

    directory = Dirs.default().run(ended.run.id)
    release = kernel_release(ended.run)
    with writing():
        print_summary(ended.run, ended.verdict, kernel=release, directory=directory)
