"""kunit.filter_glob: the one pattern that selects which built-in suites a boot runs.

lib/kunit/executor.c of the kernel splits the parameter at the first dot into a pattern for suites and one for test
cases, and compares with glob_match() (lib/glob.c): `*`, `?`, `[...]`, `[!...]`, no alternatives. So one boot cannot run
every set of suites; further boots run the rest.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterator, Sequence

from kdevops.lab.model import Kunit

NOTHING = "kdevops-runs-nothing"
"""No suite has this name. `kunit.enable=0` would work from 6.1 on, but would also disable modules permanently."""
_SPECIAL = re.compile(r"[^A-Za-z0-9_-]")


def pattern_for(wanted: Sequence[str], known: Collection[str]) -> str | None:
    """The pattern that runs as many `wanted` suites as possible and no other `known` one; None if none is needed.

    It runs at least one of them, so that the number of boots is finite.
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
    # fnmatch and glob_match agree on all patterns made here: literals, ?, [!x] and a trailing *.
    return tuple(name for name in names if pattern is None or fnmatch.fnmatchcase(name, pattern))


def fitting(suites: Sequence[str], lab: Kunit) -> tuple[str, ...]:
    """The `suites` that the lab selects, by name or glob; all by default."""
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
    """`name` as a pattern, without characters that are special to the kernel's command line or the split at the dot."""
    return _SPECIAL.sub("?", name)
