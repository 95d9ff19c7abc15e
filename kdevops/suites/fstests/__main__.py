"""`python -m kdevops.suites.fstests --release trixie`: fstests built for guests that Ansible looks after.

Progress goes to stderr; a JSON object to stdout, with the path of the archive (`tar`), its digest, and the build's record.
With --find nothing is compiled: it prints nothing where that would have to be.
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
    origin.add_argument("--path", type=Path, help="a tree that is here")
    parser.add_argument("--ref", help="a branch, a tag or a commit of the repository; default: its HEAD")
    parser.add_argument(
        "--release", help="of the guests, when they have Debian; default: they have what this machine has"
    )
    parser.add_argument("--find", action="store_true", help="compile nothing: find what was built before")
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
