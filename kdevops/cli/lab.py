"""`kdevops lab`: write, check and show lab files."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kdevops.cli.options import (
    DEFAULT_LAB,
    Context,
    common_options,
    complete_template,
    json_option,
    lab_verb,
    pass_context,
    templates,
)
from kdevops.cli.output import print_json
from kdevops.errors import ExitCode, UserError

if TYPE_CHECKING:
    from kdevops.lab.model import Kernel, Lab


@click.group()
def lab() -> None:
    """Write, check and show lab files."""


@lab.command()
@click.option(
    "--template",
    default="demo",
    show_default=True,
    shell_complete=complete_template,
    help=f"One of: {', '.join(templates())}.",
)
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_LAB)
@common_options
def init(template: str, file: Path) -> None:
    """Write a starter lab to FILE (lab.yaml) from a template. An existing file is never overwritten."""
    from kdevops.files import write_atomic
    from kdevops.text import nearest_or_all

    known = templates()
    if template not in known:
        raise UserError(f"there is no template {template}{nearest_or_all(template, known)}")
    if file.exists() or file.is_symlink():
        raise UserError(
            f"{file} exists already", hint=f"name another file: kdevops lab init --template {template} FILE"
        )
    write_atomic(file, known[template].read_bytes())
    click.echo(f"{file} written; review it, then: kdevops run" + ("" if file == DEFAULT_LAB else f" {file}"))


@lab.command()
@lab_verb
def validate(context: Context) -> None:
    """Check LAB: every field, the files it names, kernel trees, configurations and profiles. Fetches and builds nothing."""
    from kdevops.run.guests.kinds import kind_of
    from kdevops.run.validate import validate

    loaded = context.lab()
    validate(loaded)
    effective = loaded.lab
    origin = _origin(effective.kernel)
    if effective.compare:
        origin += f" compared with one from {_origin(effective.compare.kernel)}"
    suites = effective.suites.model_dump(exclude_none=True)
    line = (
        f"OK: lab {effective.name}, {kind_of(effective).describe(effective)}, kernel from {origin}, "
        f"suites: {', '.join(suites) or 'none, so there is nothing to run'}"
    )
    context.emit({"path": str(loaded.path), "name": effective.name, "digest": loaded.digest}, [line])


def _origin(kernel: Kernel) -> str:
    source = kernel.source.model_dump(mode="json", exclude_none=True)
    return " ".join(f"{kind} {value}" for kind, value in source.items())


@lab.command(short_help="Print the JSON Schema of lab files.")
@common_options
def schema() -> None:
    """Print the JSON Schema of lab files, for editors and other programs. It includes suites of installed packages."""
    from kdevops.lab.joined import whole_model
    from kdevops.lab.model import lab_schema
    from kdevops.lab.suites import outsiders

    print_json(lab_schema(whole_model()))
    for line in outsiders()[1]:
        click.echo(f"kdevops: {line}", err=True)


@lab.command(short_help="List the available suites and where each comes from.")
@json_option
@common_options
@pass_context
def suites(context: Context) -> ExitCode:
    """List the available suites: built-in ones and those of installed packages.

    Exits with 3 if a suite of an installed package cannot be used.
    """
    from kdevops.lab.suites import OURS, find, origin, outsiders
    from kdevops.text import clean

    more, refused = outsiders()
    known = {name: kind for name in OURS if (kind := find(name))} | more
    first = {name: (kind.model.__doc__ or "").strip().partition("\n")[0] for name, kind in known.items()}
    width = max(map(len, known))
    lines = [
        f"{name:{width}}  {clean(text)}" + (f" (from {origin(name)})" if origin(name) else "")
        for name, text in first.items()
    ]
    data = [{"name": name, "from": origin(name) or "kdevops", "description": text} for name, text in first.items()]
    context.emit({"suites": data, "refused": refused}, [*lines, *refused])
    return ExitCode.INFRASTRUCTURE if refused else ExitCode.OK


@lab.command()
@lab_verb
def show(context: Context) -> None:
    """Print the effective LAB, with --set, defaults and absolute paths. The output is itself a lab file."""
    import yaml

    effective = context.lab().lab
    text = yaml.safe_dump(_for_people(effective), sort_keys=False, allow_unicode=True).rstrip()
    context.emit(effective.model_dump(mode="json", exclude_none=True), [text])


def _for_people(lab: Lab) -> dict[str, Any]:
    """The lab with human-readable sizes, without unset parts of suites (e.g. a source of fstests)."""
    from kdevops.lab.fields import Model, format_size

    shown = lab.model_dump(mode="json", exclude_none=True)
    for arm in (shown, shown.get("compare", {})):
        guests = arm.get("guests")
        if not guests:
            continue
        guests["memory"] = format_size(guests["memory"])
        for part in (*guests["disks"], guests["image"]):
            part["size"] = format_size(part["size"])
    for name, suite in lab.suites:
        for field, part in suite or ():
            if isinstance(part, Model) and not shown["suites"][name][field]:
                del shown["suites"][name][field]
    return shown


@lab.command(short_help="List the profiles of fstests and what each one needs.")
@click.argument("fs", required=False)
@json_option
@common_options
@pass_context
def profiles(context: Context, fs: str | None) -> None:
    """List the profiles of fstests (only those of FS): how each makes and mounts its file system, and what it needs."""
    from kdevops.suites.registry import everything
    from kdevops.text import nearest_or_all

    known = {name: profile for suite in everything() for name, profile in suite.known_profiles().items()}
    systems = {profile.family for profile in known.values()}
    if fs and fs not in systems:
        raise UserError(f"there are no profiles for {fs}{nearest_or_all(fs, systems)}")
    chosen = {name: profile for name, profile in known.items() if fs in {None, profile.family}}
    lines = []
    for name, profile in chosen.items():
        needed = f"needs {', '.join(profile.needs)}" if profile.needs else ""
        lines += [name, *_indented(profile.made), *_indented(needed)]
    context.emit({name: profile.data for name, profile in chosen.items()}, lines)


def _indented(text: str) -> list[str]:
    """Wrap `text` to the terminal's width, indented below a name."""
    return textwrap.wrap(
        text,
        min(shutil.get_terminal_size().columns, 100),
        initial_indent="    ",
        subsequent_indent="      ",
        break_on_hyphens=False,
        break_long_words=False,
    )
