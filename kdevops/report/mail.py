"""A run's results as text for a mail: what was tested, a line per profile, failures, and why tests were skipped.

A profile's line, `xfs_crc: 1154 tests, 6 failures, 416 skipped, 14823 seconds`, has the format of xfstests-bld and of
upstream kdevops, plus crashes, hangs and missing results if there are any.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from kdevops.report import words
from kdevops.report.alike import alike
from kdevops.report.another_way import differing
from kdevops.report.counting import many
from kdevops.report.kernels import described
from kdevops.report.origins import origins, profiles
from kdevops.report.troubles import troubles, where
from kdevops.results.compare import Verdict
from kdevops.results.model import Status
from kdevops.results.store import Run
from kdevops.results.verdict import Arm, Judged, RunVerdict
from kdevops.text import clean

WIDTH = 72
"""Columns of a line, with room for quoting."""
_MAX_WIDTH = 80
"""Columns of a profile's line, which programs search for, so it is wrapped only if necessary."""
_MAX_NAMES = 200
_FEW = 20
"""List tests without a result by name only up to this number: an aborted run has thousands."""
_MAX_EXAMPLES = 10
_MAX_GROUPS = 20
_MAX_REASONS = 12
_SLOWEST = 5
_DETAILED = (
    Verdict.REGRESSED,
    Verdict.INCONCLUSIVE,
    Verdict.NEW,
    Verdict.FLAKE,
    Verdict.KNOWN_FLAKE,
    Verdict.KNOWN_FAILURE,
)
_BLANK = "\N{NO-BREAK SPACE}"
"""Marks where a line should not break; replaced by a blank at the end."""


def mail(run: Run, verdict: RunVerdict, *, troubles: Sequence[str] = ()) -> str:
    """The run as plain text. `troubles`: problems of the machine, which are not test results."""
    parts = _by_profile(verdict)
    blocks = [
        [line for text in _first(run, verdict) for line in _wrap(text)],
        _head(run, verdict.arm),
        *([*_profile(label, part)] for label, part in parts.items()),
        [*_total(verdict)],
        [*_details(parts)],
        [*_another_way(parts)],
        [*_warnings(verdict)],
        [*_skipped_now(run, verdict)],
        [*_absent(verdict)],
        *([*_without_result(parts, status, status.ending.heading)] for status in words.without_result()),
        [*_troubles(troubles)],
    ]
    return "\n".join("".join(f"{line}\n" for line in block) for block in blocks if block)


def _first(run: Run, verdict: RunVerdict) -> list[str]:
    return [words.headline(run, verdict), words.comparison(verdict), *words.known_from(run)]


def _by_profile(verdict: RunVerdict) -> dict[str, RunVerdict]:
    """The verdict per profile, keyed by its name, or by the suite's if it has no profiles."""
    tests: dict[tuple[str, str], list[Judged]] = {}
    for each in verdict.tests:
        tests.setdefault((each.test.suite, each.test.profile), []).append(each)
    labels = {key: key[0] if key[1] == "default" else key[1] for key in tests}
    twice = len(set(labels.values())) < len(labels)
    return {
        clean("/".join(key) if twice else labels[key]): RunVerdict(tuple(part), verdict.series, verdict.compared)
        for key, part in tests.items()
    }


def _head(run: Run, arm: Arm | None) -> list[str]:
    facts = origins(run)
    if arm:
        names = ("Kernel", "Baseline")
        kernels = dict(zip(names, described(run, arm.run), strict=True))
        facts = [*kernels.items(), *((name, text) for name, text in facts if name not in names)]
    width = max(len(name) for name, _ in facts) + 2
    lines = [line for name, text in facts for line in _wrap(text, f"{name}:".ljust(width))]
    if made := profiles(run):
        lines.append("Profiles:")
        width = max(len(name) for name, _ in made) + 2
        lines += [line for name, text in made for line in _wrap(text, f"  {name.ljust(width)}")]
    return lines


def _profile(label: str, part: RunVerdict) -> Iterator[str]:
    yield from _counts_line(label, part)
    for title, tests in _lists(part):
        more = [f"and {len(tests) - _MAX_NAMES} more"] if len(tests) > _MAX_NAMES else []
        yield from _wrap(" ".join([*map(_name, tests[:_MAX_NAMES]), *more]), f"  {title}: ", indent=4)


def _counts_line(label: str, part: RunVerdict) -> list[str]:
    counts = part.counts
    told = [many(counts.total, "test"), many(counts[Status.FAIL], "failure")]
    told += [f"{counts[each]} {each.ending.adjective}" for each in Status if not each.ended_by_itself and counts[each]]
    seconds = round(sum(each.outcome.seconds for each in part.tests))
    told += [f"{counts[Status.SKIP]} {Status.SKIP.ending.adjective}", f"{seconds} seconds"]
    return _wrap(f"{label}: {', '.join(told)}", indent=4, width=_MAX_WIDTH)


def _lists(part: RunVerdict) -> Iterator[tuple[str, Sequence[Judged]]]:
    """Lists of tests by name, the worst first."""
    missing = part.of(Verdict.MISSING)
    known, new = part.of(Verdict.KNOWN_FAILURE), [each for each in part.of(Verdict.NEW) if words.is_bad(each)]
    lists = (
        ("Regressed", part.of(Verdict.REGRESSED)),
        ("New failures", [each for each in new if words.has_baseline(part, each)]),
        ("Failures", [each for each in new if not words.has_baseline(part, each)]),
        ("Not decided yet", part.of(Verdict.INCONCLUSIVE)),
        ("Flakes, no worse than before", part.of(Verdict.FLAKE)),
        ("Known flakes", part.of(Verdict.KNOWN_FLAKE)),
        ("Known failures", [each for each in known if words.is_bad(each)]),
        ("Known failures, left out", [each for each in known if not words.is_bad(each)]),
        ("Fixed", part.of(Verdict.FIXED)),
        ("Skipped now, ran before", part.skipped_now),
        ("Skipped now, allowed", [each for each in part.of(Verdict.SKIPPED_NOW) if each.allowed]),
        ("No result", missing if len(missing) <= _FEW else ()),
    )
    return ((title, tests) for title, tests in lists if tests)


def _name(judged: Judged) -> str:
    """A test's name, with its status unless it is a plain fail, and the failure count if it ran several times."""
    status = judged.outcome.status
    notes = [status.value] if status.took_the_guest else []
    notes += [f"{judged.now.bad} of {judged.now.total}"] if judged.now.total > 1 else []
    return clean(judged.test.plain.name) + (f" ({', '.join(notes)})" if notes else "")


def _total(verdict: RunVerdict) -> Iterator[str]:
    yield from _counts_line("Total", verdict)
    counts = verdict.counts
    yield from _wrap(
        f"{counts.total} planned = {' + '.join(f'{counts[each]}{_BLANK}{each}' for each in Status)}", "  ", indent=4
    )
    slowest = sorted((each for each in verdict.tests if each.outcome.seconds), key=lambda each: -each.outcome.seconds)
    if told := [f"{_where(each)} {each.outcome.seconds:.0f} s".replace(" ", _BLANK) for each in slowest[:_SLOWEST]]:
        yield from _wrap(", ".join(told), "  Slowest: ", indent=4)


def _details(parts: Mapping[str, RunVerdict]) -> Iterator[str]:
    """Reasons of new failures, and kernel messages of crashes and hangs; the worst first."""
    worth = [
        (_why(each), each)
        for part in parts.values()
        for each in part.of(*_DETAILED)
        if words.is_bad(each) and (each.verdict is not Verdict.KNOWN_FAILURE or each.outcome.status is not Status.FAIL)
    ]
    if worth:
        yield "What went wrong:"
    groups = sorted(alike(worth), key=lambda group: min(map(_rank, group[1])))
    for why, tests in groups[:_MAX_GROUPS]:
        yield from _group(why, tests)
    if rest := groups[_MAX_GROUPS:]:
        yield f"{sum(len(tests) for _, tests in rest):>5}  for {many(len(rest), 'other reason')}"


def _another_way(parts: Mapping[str, RunVerdict]) -> Iterator[str]:
    """Tests that failed before and now fail otherwise."""
    found = [each for part in parts.values() for each in part.of(*_DETAILED) if each.in_another_way]
    if found:
        yield "Fails in another way than before:"
    for each in found[:_MAX_GROUPS]:
        yield from _wrap(f"{_where(each)}: {differing(each)}", "  ", indent=7)
    if rest := len(found[_MAX_GROUPS:]):
        yield f"{rest:>5}  {'other test' if rest == 1 else 'other tests'}"


def _why(judged: Judged) -> str:
    reason, title = clean(judged.outcome.reason), words.oops_title(judged.outcome.oops)
    said = "; ".join(text for text in (reason, "" if title in reason else title) if text)
    return f"{judged.outcome.status}: {said}" if said else str(judged.outcome.status)


def _rank(judged: Judged) -> tuple[int, bool]:
    return _DETAILED.index(judged.verdict), judged.outcome.status is Status.FAIL


def _warnings(verdict: RunVerdict) -> Iterator[str]:
    """Kernel reports during tests, except those that ended a test."""
    found = troubles(verdict)
    if found:
        yield f"Kernel reports {where(found)}:"
    for trouble in found[:_MAX_GROUPS]:
        yield from _group(str(trouble), trouble.tests, trouble.times, trouble.beside)
    if rest := found[_MAX_GROUPS:]:
        yield f"{sum(trouble.times for trouble in rest):>5}  of {many(len(rest), 'other kind')}"
    for line in words.allowed_reports(verdict):
        yield from _wrap(line, indent=2)


def _skipped_now(run: Run, verdict: RunVerdict) -> Iterator[str]:
    """Tests that ran before and skip now, by reason."""
    if not (skipped := verdict.skipped_now):
        return
    yield f"Ran before, but skipped now: {len(skipped)}"
    groups = alike((clean(each.outcome.reason) or "no reason given", each) for each in skipped)
    for reason, tests in groups[:_MAX_GROUPS]:
        yield from _group(reason, tests)
    if rest := groups[_MAX_GROUPS:]:
        yield f"{sum(len(tests) for _, tests in rest):>5}  for {many(len(rest), 'other reason')}"
    yield from _wrap(words.how_to_allow(run, verdict), "       ")


def _absent(verdict: RunVerdict) -> Iterator[str]:
    """Tests in the baseline that the run did not plan."""
    if verdict.absent:
        yield f"In the baseline, but not planned: {len(verdict.absent)}"
    for why, tests in words.absences(verdict):
        names = [clean(f"{'' if each.profile == 'default' else f'{each.profile} '}{each.name}") for each in tests]
        yield from _wrap(f"{len(tests):>5}  {why or 'unknown reason'}", indent=7)
        yield from _examples([] if why else names)


def _group(text: str, tests: Sequence[Judged], times: int = 0, beside: Sequence[str] = ()) -> Iterator[str]:
    """`text` with the number of tests or of occurrences, and examples of tests."""
    yield from _wrap(f"{times or len(tests):>5}  {text}", indent=7)
    yield from _examples([*(_example(each) for each in tests), *beside])


def _examples(names: Sequence[str]) -> list[str]:
    told = [name.replace(" ", _BLANK) for name in names[:_MAX_EXAMPLES]]
    more = f" and {len(names) - _MAX_EXAMPLES} more" if len(names) > _MAX_EXAMPLES else ""
    return _wrap(", ".join(told) + more, " " * 7) if told else []


def _example(judged: Judged) -> str:
    known = words.is_bad(judged) and (judged.before or judged.arm)
    was = f" ({words.was(judged.before, judged.arm)})" if known else ""
    return f"{_where(judged)}{was}"


def _without_result(parts: Mapping[str, RunVerdict], status: Status, title: str) -> Iterator[str]:
    for label, part in parts.items():
        if reasons := words.by_reason(part, status):
            yield f"{title} in {label}: {part.counts[status]}"
            yield from _reasons(reasons)


def _troubles(troubles: Iterable[str]) -> Iterator[str]:
    if reasons := [(text, len(members)) for text, members in alike((text, None) for text in troubles)]:
        yield "Problems of the machine (not test results):"
        yield from _reasons(reasons)


def _reasons(reasons: Sequence[tuple[str, int]]) -> Iterator[str]:
    for reason, number in reasons[:_MAX_REASONS]:
        yield from _wrap(f"{number:>5}  {reason}", indent=7)
    if rest := reasons[_MAX_REASONS:]:
        yield f"{sum(number for _, number in rest):>5}  for {many(len(rest), 'other reason')}"


def _where(judged: Judged) -> str:
    profile = "" if judged.test.profile == "default" else f"{judged.test.profile} "
    return clean(f"{profile}{judged.test.name}")


def _wrap(text: str, first: str = "", *, indent: int | None = None, width: int = WIDTH) -> list[str]:
    """Wrap to lines of at most `width` columns; all but the first are indented, by default to the length of `first`.

    A longer word is kept whole up to _MAX_WIDTH columns, so that a URL still works.
    """
    rest = " " * min(len(first) if indent is None else indent, WIDTH // 2)
    longest = max(map(len, (first + text).split(" ")))
    lines = textwrap.wrap(
        first + text,
        width,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=len(rest) + longest > _MAX_WIDTH,
    )
    return [line.replace(_BLANK, " ") for line in lines]
