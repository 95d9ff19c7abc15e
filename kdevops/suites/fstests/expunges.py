"""Expunge lists, in the format and directory layout of upstream kdevops, read in place.

    <directory>/<uname -r>/<fs>/<category>/[P0..P5/]<section>.txt      for a self-built kernel
    <directory>/<os id>/<VERSION_ID>/<fs>/…                            for the kernel of a distribution
    <directory>/any/<fs>/…                                             for every kernel

Categories are diff, unassigned and assigned; besides the section's own list, `all.txt` and `progs.txt` apply, and lists that
have an older name of the section (`expunge_sections`). A release may be a symbolic link to another one. In a list, each line
names a test, with a note after "#": how often it fails, what it does, a link. F:1/11 is one failure in 11 runs; people also
write "failure rate is about 1/11".

    generic/482 # F:1/11
    xfs/168 # Hung:1/6 https://…

Which kernels' lists apply: those of the kernel itself; "6.1.11+" uses a list of 6.1.11 where it has none of that name. If no
list for it applies, those of the one nearest directory that has such a list: of older releases, see `kdevops.results.nearest`.
Not all older ones, because a test that was fixed is in no newer list; and not a directory with lists of other sections only,
which says nothing of this one: nobody may have run it there. Lists in `any` apply in addition, always.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kdevops.errors import UserError
from kdevops.results.expunges.lists import Expunge, Listed, parse, read
from kdevops.results.nearest import ANY, nearest_first, same_release
from kdevops.suites.fstests.expunge_sections import load_sections
from kdevops.text import clean

_CATEGORIES = ("diff", "unassigned", "assigned")
_PRIORITIES = ("", "P0", "P1", "P2", "P3", "P4", "P5")
_ALWAYS = ("progs", "all")

_Slot = tuple[str, str, str]
"""Name, category and priority of a list."""


@dataclass(frozen=True)
class Expunges:
    """The expunge trees in `directories`. Each directory and list is read once, when it is first needed."""

    directories: Sequence[Path]
    _names: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    _slots: dict[Path, Mapping[_Slot, Path]] = field(default_factory=dict)
    _parsed: dict[Path, Sequence[Expunge]] = field(default_factory=dict)
    _chains: dict[tuple[Path, str, str], Mapping[str, frozenset[str]]] = field(default_factory=dict)

    def known(
        self,
        release: str,
        fs: str,
        section: str,
        *,
        os_release: tuple[str, str] | None = None,
        smallest_disk: int | None = None,
    ) -> Mapping[str, Listed]:
        """Tests that the trees list for kernel `release`, a file system and a section, by test.

        `os_release` is ID and VERSION_ID of /etc/os-release, for a distribution's own kernel. `smallest_disk`: bytes of the
        smallest disk for test or scratch. The section's list comes before `progs` and `all`, the kernel's before `any`, an
        earlier directory before a later one.

        Raises UserError, with file and line, for an invalid line, an unreadable list, and a link that leads out of its
        directory.
        """
        found: dict[str, Listed] = {}
        distribution = "/".join(os_release) if os_release else ""
        for directory in self.directories:
            for path, of in self._applying(directory, release, distribution, fs, section, smallest_disk):
                other = "" if of in {ANY, distribution} or same_release(of, release) else of
                for line in self._lines(path, directory):
                    before = found.get(line.test)
                    found[line.test] = before.and_also(line, other) if before else Listed((line,), of, other)
        return found

    def _applying(
        self, directory: Path, release: str, distribution: str, fs: str, section: str, smallest_disk: int | None
    ) -> Iterator[tuple[Path, str]]:
        """The lists that apply, in order of precedence, each with the name of its directory."""
        sections = load_sections()
        order = {name: number for number, name in enumerate((*sections.names(section), *_ALWAYS))}
        chain = self._nearest_first(directory, release, fs)
        own = [name for name in chain if name in {release, release.removesuffix("+")}]
        kernels = [own, *([[distribution]] if distribution else [])]
        chosen = [each for names in kernels for each in self._of(directory, names, fs).items() if each[0][0] in order]
        if not chosen:
            names = (name for name in chain if name not in own and name != ANY)
            nearest = next((name for name in names if not chain[name].isdisjoint(order)), None)
            chosen = (
                [each for each in self._of(directory, [nearest], fs).items() if each[0][0] in order] if nearest else []
            )
        for_all = [each for each in self._of(directory, [ANY], fs).items() if each[0][0] in order]
        for _, (path, of) in (*_sorted(chosen, order), *_sorted(for_all, order)):
            yield path, of
        if self._exists(directory / ANY):
            for name in sections.common_to(section, smallest_disk):
                paths = (directory / ANY / place / f"{name}.txt" for place in ("", fs))
                yield from ((path, ANY) for path in paths if self._exists(path))

    def _nearest_first(self, directory: Path, release: str, fs: str) -> Mapping[str, frozenset[str]]:
        """The kernels that apply and have lists of a file system, nearest first, each with the names of these lists."""
        key = directory, release, fs
        if key not in self._chains:
            found = {
                name: frozenset(slot[0] for slot in self._lists(directory / name / fs))
                for name in nearest_first(self._tree(directory), release)
            }
            self._chains[key] = {name: lists for name, lists in found.items() if lists}
        return self._chains[key]

    def _tree(self, directory: Path) -> tuple[str, ...]:
        if directory not in self._names:
            if not directory.is_dir():
                raise UserError(
                    f"{directory} is not a directory of expunge lists", hint="check suites.fstests.expunges"
                )
            self._names[directory] = _inside(directory)
        return self._names[directory]

    def _of(self, directory: Path, names: Iterable[str], fs: str) -> Mapping[_Slot, tuple[Path, str]]:
        """The lists of several names of one kernel: of each list the first that exists."""
        found: dict[_Slot, tuple[Path, str]] = {}
        for name in names:
            for slot, path in self._lists(directory / name / fs).items():
                found.setdefault(slot, (path, name))
        return found

    def _lists(self, place: Path) -> Mapping[_Slot, Path]:
        """All lists of a file system that one directory of a kernel has."""
        if place not in self._slots:
            inside = {category: _inside(place / category) for category in _CATEGORIES}
            self._slots[place] = {
                (name.removesuffix(".txt"), category, priority): place / category / priority / name
                for category, names in inside.items()
                for priority in _PRIORITIES
                for name in (
                    names if not priority else _inside(place / category / priority) if priority in names else ()
                )
                if name.endswith(".txt")
            }
        return self._slots[place]

    def _exists(self, path: Path) -> bool:
        if path.parent not in self._names:
            self._names[path.parent] = _inside(path.parent)
        return path.name in self._names[path.parent]

    def _lines(self, path: Path, directory: Path) -> Sequence[Expunge]:
        if path not in self._parsed:
            if not path.resolve().is_relative_to(directory.resolve()):
                raise UserError(
                    f"{path} leads out of {directory}: {path.resolve()}", hint="copy the file into the tree instead"
                )
            self._parsed[path] = parse(read(path), path)
        return self._parsed[path]


def told(release: str, found: Mapping[str, Iterable[Listed]]) -> str:
    """What was found for the planned tests of each profile, in a line."""
    sources = Counter(each.of for listed in found.values() for each in listed)
    if not sources:
        return f"0 known failures found for {clean(release)}"
    number = sources.total()
    parts = [f"{of} ({many})" if len(sources) > 1 else of for of, many in sources.most_common()]
    without = [profile for profile, listed in found.items() if not list(listed)]
    line = f"{number} known failure{'s' if number > 1 else ''}, from the lists of {clean(', '.join(parts))}"
    return line + (f"; none for {', '.join(without)}" if without else "")


def _sorted(
    lists: Iterable[tuple[_Slot, tuple[Path, str]]], order: Mapping[str, int]
) -> list[tuple[_Slot, tuple[Path, str]]]:
    """By name of the list, then as found: category and priority."""
    return sorted(lists, key=lambda each: order[each[0][0]])


def _inside(directory: Path) -> tuple[str, ...]:
    """The names in a directory, sorted; none if it is none, as where an alias leads nowhere."""
    try:
        return tuple(sorted(path.name for path in directory.iterdir()))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return ()
        raise UserError(f"cannot read the expunge lists in {directory}: {error.strerror}") from error
