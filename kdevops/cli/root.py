"""The command `kdevops`: a table of verbs. Only the requested verb's module is imported."""

from __future__ import annotations

import importlib

import click
from click.shell_completion import CompletionItem

from kdevops import __version__
from kdevops.cli.options import common_options

COMMANDS = {
    "doctor": ("kdevops.cli.doctor:doctor", "Check what this machine has and lacks, and how to fix it."),
    "lab": ("kdevops.cli.lab:lab", "Write, check and show lab files."),
    "up": ("kdevops.cli.guests:up", "Start the guests of a lab."),
    "down": ("kdevops.cli.guests:down", "Stop the guests of a lab."),
    "status": ("kdevops.cli.guests:status", "Show the guests and their state."),
    "ssh": ("kdevops.cli.guests:ssh", "Log in to a guest, or run a command there."),
    "console": ("kdevops.cli.guests:console", "Show what a guest printed on its console."),
    "kernel": ("kdevops.cli.kernel:kernel", "Build and show kernels."),
    "image": ("kdevops.cli.image:image", "Make guest images: Vagrant boxes."),
    "run": ("kdevops.cli.run:run", "Run the tests of a lab, after preparing what they need."),
    "resume": ("kdevops.cli.run:resume", "Continue an interrupted run."),
    "decide": ("kdevops.cli.decide:decide", "Run unknown failures again until it is clear what they are."),
    "rerun": ("kdevops.cli.run:rerun", "Repeat an earlier run."),
    "results": ("kdevops.cli.results:results", "Show runs and their test results."),
    "baseline": ("kdevops.cli.baselines.group:baseline", "Accept, show and keep what is known of tests."),
    "ssh-config": ("kdevops.cli.ssh_config:ssh_config", "Set up plain ssh to reach guests by name."),
    "gc": ("kdevops.cli.gc:gc", "List or remove overdue cloud machines and unused cache entries."),
    "completion": ("kdevops.cli.completion:completion", "Print the completion script of a shell."),
}
"""Verb → (module:object, one-line description)."""

COMPLETE_VARIABLE = "_KDEVOPS_COMPLETE"
"""Set by the shell's completion script when it requests completions."""


class LazyGroup(click.Group):
    """A group that imports a command only when it is called, so `--version` and `--help` import none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in order of typical use."""
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
        """Find the verb; for an unknown one, suggest the nearest known verb."""
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
    """Test Linux kernels in guests. One lab file defines the guests, the kernel and the tests.

    Begin with `kdevops lab init` and `kdevops run`.

    Exit codes: 0 no regression and all tests ran; 1 regression; 2 invalid input; 3 failure of the machine or a tool;
    4 incomplete run; 130, 141 and 143 after Ctrl-C, SIGPIPE and SIGTERM.
    """
