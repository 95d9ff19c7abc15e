"""A toy fstests: enough of its shape to be fetched, built and packed, in a moment."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

MAKEFILE = """\
default: src/toy
src/toy: src/toy.c
\t@echo "    [CC]    toy"
\t@$(CC) -c -o src/toy.o $<
\t@$(CC) -o $@ src/toy.o
"""
FILES = {
    "Makefile": MAKEFILE,
    ".gitignore": "*.o\n/src/toy\n/local.config\n",
    "check": "#!/bin/bash\n",
    "src/toy.c": "int main(void) { return 0; }\n",
    "tests/generic/001": "#! /bin/bash\n",
    "tests/generic/001.out": "QA output created by 001\n",
}


def make_tree(path: Path, changes: Mapping[str, str] = MappingProxyType({})) -> Path:
    """A tree of FILES, with these changed or added."""
    for name, content in {**FILES, **changes}.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    (path / "check").chmod(0o755)
    return path


def commit(path: Path) -> str:
    """Make the tree a git repository, or commit what has changed in it."""
    if not (path / ".git").exists():
        git(path, "init", "--quiet", "--initial-branch=master")
    git(path, "add", "--all")
    git(path, "-c", "user.name=toy", "-c", "user.email=toy@example.org", "commit", "--quiet", "-m", "toy")
    return git(path, "rev-parse", "HEAD")


def role_variables(path: Path, tree: Path, where: str) -> dict[str, object]:
    """Variables of role fstests that install `tree` below `path`, with users that are noted there and not made."""
    return {
        "fstests_useradd": ["sh", "-c", f'echo "$@" >>{path}/users', "sh"],
        "fstests_users": ["root", "no-such-user"],
        "fstests_build_on": where,
        "fstests_git": str(tree),
        "fstests_directory": str(path / "opt/fstests"),
        "fstests_run": False,
    }


def git(path: Path, *words: str) -> str:
    """What git says."""
    return subprocess.run(["git", "-C", path, *words], check=True, capture_output=True, text=True).stdout.strip()
