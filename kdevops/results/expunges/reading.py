"""Reads a tree of expunge lists of which nobody knows what is in it: whole, or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kdevops.errors import UserError
from kdevops.results.expunges import layout
from kdevops.results.expunges.lists import parse, read
from kdevops.results.expunges.tree import Tree
from kdevops.text import clean

MAX_FILES = 20_000
MAX_DIRECTORIES = 20_000
MAX_TOTAL = 256 << 20
_MAX_DEPTH = 8
_NAME = re.compile(r"[A-Za-z0-9_+=,@~%-][A-Za-z0-9_+=,@~%.-]{0,199}", re.ASCII)
_PLAIN = re.compile(r"(?:\.\./)*[^./][^/]*(?:/[^./][^/]*)*")
_UNPRINTED = re.compile(r"[^\t -~]")


@dataclass(frozen=True, slots=True)
class Found:
    """A suite's tree. `left_out`: what is there and is no list, for people."""

    suite: str
    place: Path
    tree: Tree
    left_out: tuple[str, ...] = ()


def of_baseline(baseline: Path) -> tuple[Found, ...]:
    """The trees that are in a baseline. Raises UserError as `read_tree`."""
    found = [read_tree(place, suite) for suite in layout.SUITES for place in layout.of_baseline(baseline, suite)]
    return tuple(each for each in found if each.tree.lists)


def read_trees(directory: Path) -> tuple[Found, ...]:
    """The trees in a directory: it is one, or a checkout of upstream kdevops, or has one of each suite.

    Raises UserError for a directory without lists, and as `read_tree`.
    """
    if not directory.is_dir():
        raise UserError(f"{directory} is not a directory of expunge lists", hint=layout.EXPECTED)
    trees = layout.trees_in(directory)
    found = [read_tree(place, suite) for suite, place in trees.items()] if trees else [read_tree(directory)]
    if not any(each.tree.lists for each in found):
        raise UserError(f"there are no expunge lists in {directory}", hint=layout.EXPECTED)
    return tuple(each for each in found if each.tree.lists)


def read_tree(directory: Path, suite: str = "") -> Found:
    """The tree of a suite, by default of the one whose lists it has; empty if there is nothing.

    Line ends are normalised, and byte order marks and what no terminal should see are removed. Raises UserError for a list
    with a mistake, one that is not a regular file or too large, for names that no kernel or list has, for links that lead
    out of it, and for too many files.
    """
    files, links = _walk(directory)
    suite = suite or layout.suite_of([*files, *links])
    if not suite:
        return Found("", directory, Tree())
    if layout.is_around(suite, files):
        raise UserError(f"{directory} has a tree of expunge lists below it", hint="name the directory with the kernels")
    lists: dict[PurePosixPath, str] = {}
    total = 0
    for path in files:
        if layout.is_list(suite, path):
            _check_name(directory, path)
            text = _normal(read(directory / path))
            parse(text, directory / path)
            total += len(text)
            if total > MAX_TOTAL:
                raise UserError(f"the lists in {directory} have more than {MAX_TOTAL >> 20} MiB", hint=layout.EXPECTED)
            lists[path] = text
    inside = {path: target for path in links if (target := _target(directory, path)) is not None}
    kept = _leading_to(lists, inside)
    left_out = sorted({str(path) for path in (*files, *links)} - {str(path) for path in (*lists, *kept)})
    return Found(suite, directory, Tree(lists, kept), tuple(clean(name) for name in left_out))


def _walk(directory: Path) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """All files and links below a directory, but not what is hidden or behind a link."""
    files: list[PurePosixPath] = []
    links: list[PurePosixPath] = []
    pending = [PurePosixPath()]
    seen = 0
    while pending:
        place = pending.pop()
        seen += 1
        if seen > MAX_DIRECTORIES or len(files) + len(links) > MAX_FILES:
            raise UserError(f"{directory} has more files than any tree of expunge lists", hint=layout.EXPECTED)
        for entry in _entries(directory / place):
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                links.append(place / entry.name)
            elif not entry.is_dir():
                files.append(place / entry.name)
            elif len(place.parts) < _MAX_DEPTH:
                pending.append(place / entry.name)
    return sorted(files), sorted(links)


def _entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            yield from entries
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"cannot read the expunge lists in {directory}: {error.strerror}") from error


def _check_name(directory: Path, path: PurePosixPath) -> None:
    if wrong := next((part for part in path.parts if not _NAME.fullmatch(part)), None):
        raise UserError(
            f"{directory}: {clean(wrong, 80)!a} in {clean(str(path), 200)!a} is the name of neither a kernel nor a list",
            hint="rename it: letters, digits and _+=,@~%.- are allowed",
        )


def _target(directory: Path, path: PurePosixPath) -> str | None:
    """What a link says, relative to where it is; None if it leads nowhere. Raises UserError if it leads out."""
    link = directory / path
    try:
        said, real, root = str(link.readlink()), link.resolve(strict=True), directory.resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    if not real.is_relative_to(root):
        raise UserError(
            f"the link {clean(str(link))} leads out of {directory}, to {clean(str(real))}",
            hint="put the lists themselves into the tree",
        )
    _check_name(directory, path)
    return said if _PLAIN.fullmatch(said) else os.path.relpath(real, link.parent.resolve())


def _leading_to(lists: Iterable[PurePosixPath], links: dict[PurePosixPath, str]) -> dict[PurePosixPath, str]:
    """The links that lead to lists, not to a directory around them."""
    tree = Tree(links=links)
    there = {place for path in lists for place in (path, *path.parents)}
    kept: dict[PurePosixPath, str] = {}
    left = {path: real for path in links if (real := tree.resolved(path)) is not None and real not in path.parents}
    while more := [path for path, real in left.items() if real in there]:
        for path in more:
            kept[path] = links[path]
            there.update((path, *path.parents))
            del left[path]
    return dict(sorted(kept.items()))


def _normal(text: str) -> str:
    """With "\\n" after each line, and without what no terminal should see; all else as it is."""
    text = text.replace("\r\n", "\n").removesuffix("\n")
    lines = [clean(line) if _UNPRINTED.search(line) else line for line in text.split("\n")]
    return "".join(f"{line}\n" for line in lines) if text else ""
