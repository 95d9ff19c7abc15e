"""kunit.filter_glob: the one pattern by which a boot can be told which built-in suites to run.

lib/kunit/executor.c of the kernel splits the parameter at the first dot into a pattern of suites and one of test cases,
and compares with glob_match() (lib/glob.c): `*`, `?`, `[...]`, `[!...]`, no alternatives. So not every set of suites
can be asked for at once; what a boot leaves out, another boot runs.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterator, Sequence

from kdevops.lab.model import Kunit

NOTHING = "kdevops-runs-nothing"
"""No suite has this name. `kunit.enable=0` would do from 6.1 on, but it would also silence modules for good."""
_SPECIAL = re.compile(r"[^A-Za-z0-9_-]")


def pattern_for(wanted: Sequence[str], known: Collection[str]) -> str | None:
    """The pattern that runs as many `wanted` suites as can be, and no other `known` one; None where none is needed.

    It runs one of them at least, so that boot after boot comes to an end.
    """
    if not wanted and known:
        return NOTHING
    if set(known) <= set(wanted):
        return None
    others = set(known) - set(wanted)
    best = _exact(wanted[0])
    most = 1
    for pattern in dict.fromkeys(_candidates(wanted)):
        hits = len(matching(pattern, wanted))
        if hits > most and not matching(pattern, others):
            best, most = pattern, hits
    return best


def matching(pattern: str | None, names: Collection[str]) -> tuple[str, ...]:
    """The `names` that a boot with this pattern runs."""
    # fnmatch and glob_match agree on all that we make: literals, ?, [!x] and a trailing *.
    return tuple(name for name in names if pattern is None or fnmatch.fnmatchcase(name, pattern))


def fitting(suites: Sequence[str], lab: Kunit) -> tuple[str, ...]:
    """Those of `suites` that the lab wants, by name or glob; all without a wish."""
    wanted = lab.suites or ("*",)
    return tuple(suite for suite in suites if any(fnmatch.fnmatchcase(suite, pattern) for pattern in wanted))


def _candidates(wanted: Sequence[str]) -> Iterator[str]:
    letters = sorted({letter for name in wanted for letter in name if not _SPECIAL.match(letter)})
    prefixes = {name[:length] for name in wanted for length in range(len(name))}
    for prefix in sorted(prefixes, key=lambda text: (len(text), text)):
        yield f"{_exact(prefix)}*"
    for prefix in sorted(prefixes, key=lambda text: (len(text), text)):
        yield from (f"{_exact(prefix)}[!{letter}]*" for letter in letters)


def _exact(name: str) -> str:
    """`name` as a pattern, without anything that the kernel's command line, or the splitting at the dot, would take."""
    return _SPECIAL.sub("?", name)
