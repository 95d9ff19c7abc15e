"""`kdevops ssh-config`: set up plain ssh to reach guests by name, and undo it."""

from __future__ import annotations

from pathlib import Path

import click

from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.guest import sshconfig
from kdevops.paths import state_dir


@click.command()
@click.option("--install", is_flag=True, help="Add one Include line to ~/.ssh/config.")
@click.option("--uninstall", is_flag=True, help="Remove that line.")
@click.option("--show", is_flag=True, help="Print the ssh configuration of the guests.")
@json_option
@common_options
@pass_context
def ssh_config(context: Context, /, **actions: bool) -> None:
    """Make plain `ssh GUEST` (and scp, rsync, editors) work through one Include line in ~/.ssh/config."""
    config, state = Path.home() / ".ssh/config", state_dir()
    asked = [action for action, given in actions.items() if given]
    if len(asked) > 1:
        raise click.UsageError(f"{' and '.join(f'--{action}' for action in asked)}: give only one of them")
    action = asked[0] if asked else None
    if action == "install":
        changed = sshconfig.install(config, state)
        said = "now includes the guests: ssh GUEST works" if changed else "already included the guests"
    elif action == "uninstall":
        changed = sshconfig.uninstall(config)
        said = "no longer includes the guests" if changed else "did not include the guests"
    elif action == "show":
        known = sshconfig.guests(state)
        files = sorted(set(known.values()))
        _show(context, config, state, known, files)
        return
    else:
        raise click.UsageError("give one of --install, --uninstall, --show")
    context.emit({"file": str(config), "changed": changed}, [f"{config} {said}"])


def _show(context: Context, config: Path, state: Path, known: dict[str, Path], files: list[Path]) -> None:
    installed = sshconfig.is_installed(config, state)
    context.emit(
        {
            "file": str(config),
            "installed": installed,
            "include": sshconfig.include_line(state),
            "guests": {name: str(path) for name, path in known.items()},
        },
        [
            f"# {config} {'contains' if installed else 'does not contain'} the line",
            f"# {sshconfig.include_line(state)}",
            *[path.read_text().rstrip() for path in files],
        ],
    )
