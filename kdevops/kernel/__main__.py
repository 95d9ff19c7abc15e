"""`python -m kdevops.kernel build --spec FILE --cache DIR [--json]`: the builder for a bare guest without kdevops.

Progress goes to stderr, one line per change; the artifact's directory, or the artifact as JSON, to stdout. `find` instead of
`build` compiles nothing; it prints nothing if `build` would have to.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from kdevops.errors import ExitCode, KdevopsError, UserError
from kdevops.kernel.build import build, find
from kdevops.kernel.spec import BuildSpec
from kdevops.lines import Lines, tell


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="kdevops.kernel", description="Build a Linux kernel from a build spec.")
    commands = parser.add_subparsers(required=True, dest="command")
    for name, told in {"build": "build, or find what was built before", "find": "find what was built before"}.items():
        command = commands.add_parser(name, help=told)
        command.add_argument("--spec", type=Path, required=True, help="build spec (JSON file; - reads standard input)")
        command.add_argument(
            "--cache", type=Path, required=True, help="directory for sources, build directories and artifacts"
        )
        command.add_argument("--json", action="store_true", help="print the artifact as JSON, not just its directory")
    options = parser.parse_args(arguments)
    verb = build if options.command == "build" else find
    try:
        artifact = asyncio.run(verb(_read_spec(options.spec), cache=options.cache, report=Lines().show))
    except KdevopsError as error:
        tell(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    if artifact is None:
        return ExitCode.OK
    for warning in artifact.record.get("warnings", []):
        print(f"warning: {warning}", file=sys.stderr)
    print(artifact.to_json() if options.json else artifact.directory)
    return ExitCode.OK


def _read_spec(path: Path) -> BuildSpec:
    try:
        return BuildSpec.from_json(sys.stdin.read() if str(path) == "-" else path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the build spec {path}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
