"""The command `kdevops`: a table of verbs, of which only the one that was asked for is imported."""

from __future__ import annotations

import importlib

import click
from click.shell_completion import CompletionItem

from kdevops import __version__
from kdevops.cli.options import common_options

COMMANDS = {
    "doctor": ("kdevops.cli.doctor:doctor", "Say what this machine has, what it lacks, and how to mend it."),
    "lab": ("kdevops.cli.lab:lab", "Write, check and show lab files."),
    "up": ("kdevops.cli.guests:up", "Bring the guests of a lab up."),
    "down": ("kdevops.cli.guests:down", "Take the guests of a lab down."),
    "status": ("kdevops.cli.guests:status", "Show the guests and how they are."),
    "ssh": ("kdevops.cli.guests:ssh", "Log in to a guest, or run a command there."),
    "console": ("kdevops.cli.guests:console", "Show what a guest printed on its console."),
    "kernel": ("kdevops.cli.kernel:kernel", "Build and show kernels."),
    "image": ("kdevops.cli.image:image", "Make what guests start from: Vagrant boxes."),
    "run": ("kdevops.cli.run:run", "Run the tests of a lab, and first whatever they need."),
    "resume": ("kdevops.cli.run:resume", "Go on with a run that was interrupted."),
    "rerun": ("kdevops.cli.run:rerun", "Do an earlier run again, as it was."),
    "results": ("kdevops.cli.results:results", "Show runs and what became of their tests."),
    "baseline": ("kdevops.cli.baseline:baseline", "Show, accept and compare stored baselines."),
    "ssh-config": ("kdevops.cli.ssh_config:ssh_config", "Make plain ssh know the guests."),
    "gc": ("kdevops.cli.gc:gc", "Show what is overdue in clouds and unused in the cache; remove it."),
    "completion": ("kdevops.cli.completion:completion", "Print the completion script of a shell."),
}
"""Verb → (module:object, what it does in a line)."""

COMPLETE_VARIABLE = "_KDEVOPS_COMPLETE"
"""Set by a shell's completion script when it asks us what may come next."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that `--version` and `--help` need none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order in which they are used."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb's module; None for an unknown verb."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; an unknown one is answered with the nearest known."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from kdevops.text import nearest

            ctx.fail(f"no such command: {args[0]}{nearest(args[0], list(COMMANDS), 1)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs from the table, options from click."""
        verbs = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "obj": None}
)
@click.version_option(__version__, prog_name="kdevops", message="%(prog)s %(version)s")
@common_options
def cli() -> None:
    """Test Linux kernels in guests: one lab file says which guests, which kernel and which tests.

    Begin with `kdevops lab init` and `kdevops run`.

    Exit codes: 0 nothing regressed and all ran; 1 a regression; 2 something in what you gave; 3 trouble of the machine
    or a tool; 4 the run is incomplete; 130, 141 and 143 after Ctrl-C, SIGPIPE and SIGTERM.
    """
