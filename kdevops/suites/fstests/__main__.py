"""`python -m kdevops.suites.fstests --release trixie`: build fstests for guests that Ansible manages.

Progress goes to stderr; a JSON object to stdout, with the path of the archive (`tar`), its digest, and the build's
record. With --find nothing is compiled; it prints nothing if a build would be necessary.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from kdevops.errors import ExitCode, KdevopsError
from kdevops.lab.fstests import UPSTREAM, FstestsSource
from kdevops.lab.model import Image
from kdevops.lines import Lines, tell
from kdevops.paths import cache_dir
from kdevops.suites.fstests.build import build, find

_NOT_OURS = Image(path=Path("guests that we did not make"))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="kdevops.suites.fstests", description="Build fstests.")
    origin = parser.add_mutually_exclusive_group()
    origin.add_argument("--git", default=UPSTREAM, help="URL of the repository")
    origin.add_argument("--path", type=Path, help="a local source tree")
    parser.add_argument("--ref", help="branch, tag or commit of the repository; default: its HEAD")
    parser.add_argument(
        "--release", help="Debian release of the guests; default: they run the same system as this machine"
    )
    parser.add_argument("--find", action="store_true", help="compile nothing: only look for an earlier build")
    options = parser.parse_args(arguments)
    source = FstestsSource(path=options.path) if options.path else FstestsSource(git=options.git, ref=options.ref)
    image = Image(suite=options.release) if options.release else _NOT_OURS
    try:
        built = asyncio.run((find if options.find else build)(source, image, cache=cache_dir(), report=Lines().show))
    except KdevopsError as error:
        tell(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    if built is not None:
        print(json.dumps({"tar": str(built.tar), "digest": built.digest, "record": dict(built.record)}))
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
