"""`kdevops completion`: the shell script that completes our verbs, options, guests and templates."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from kdevops.cli.root import COMPLETE_VARIABLE

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash:  kdevops completion bash > ~/.local/share/bash-completion/completions/kdevops
    zsh:   kdevops completion zsh > a directory of $fpath, as _kdevops
    fish:  kdevops completion fish > ~/.config/fish/completions/kdevops.fish
    """
    script = _SHELLS[shell](ctx.find_root().command, {}, "kdevops", COMPLETE_VARIABLE)
    click.echo(script.source_template % script.source_vars())
