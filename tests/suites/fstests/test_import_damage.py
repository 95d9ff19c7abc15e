"""A damaged results directory never says more than the whole one, and is not green unless it says the same."""

import tempfile
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.baselines import baseline
from kdevops.results.model import Status, TestId
from kdevops.results.verdict import judge_run
from kdevops.suites.fstests.archive import find_sections

HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<testsuite
 name="xfstests"
 failures="0" skipped="1" tests="4" time="19"
 hostname="xfs-1"
  start_timestamp="2026-11-21T02:59:00+00:00"
        timestamp="2026-11-21T02:59:50+00:00"
 report_timestamp="2026-11-21T03:00:00+00:00"
>
\t<properties>
\t\t<property name="KERNEL" value="6.1.192"/>
\t\t<property name="SECTION" value="xfs_crc"/>
\t</properties>
"""
CASES = {
    "generic/001": "",
    "generic/002": '\t\t<skipped message="no &apos;such&apos; feature" />\n',
    "generic/003": "",
    "xfs/004": "",
}
FAILED = """\
\t\t<failure message="- output mismatch (see /r/generic/003.out.bad)" type="TestFail" />
\t\t<system-err>
<![CDATA[
--- <testcase classname="xfstests.xfs_crc" name="generic/666" time="1">
</testcase> ]]]]><![CDATA[> </system-err>
]]>
\t\t</system-err>
"""
LOG = """\

Kernel version: 6.1.192
Sat Nov 21 03:00:00 UTC 2026
Ran: generic/001 generic/002 generic/003 xfs/004
Not run: generic/002
Passed all 4 tests
"""
TIMES = "generic/001 5\ngeneric/003 7\nxfs/004 1\n"
ERROR = '\t\t<error message="Machine rebooted (crash or test timeout)" type="TestFail"/>\n'


def report(cases: Mapping[str, str], head: str = HEAD) -> str:
    bodies = (
        f'\t<testcase classname="xfstests.xfs_crc" name="{name}" time="5">\n{inner}\t</testcase>\n'
        for name, inner in cases.items()
    )
    return f"{head}{''.join(bodies)}</testsuite>\n"


FILES = {
    "xfs_crc/check.log": LOG,
    "xfs_crc/check.time": TIMES,
    "xfs_crc/generic/002.notrun": "no such feature\n",
    "xfs_crc/result.xml": report(CASES),
}
KINDS = {
    "with a report": FILES,
    "without a report": {name: text for name, text in FILES.items() if not name.endswith(".xml")},
    "with a failure": {
        **FILES,
        "xfs_crc/check.log": LOG.replace("Passed all 4 tests", "Failures: generic/003\nFailed 1 of 4 tests"),
        "xfs_crc/check.time": TIMES.replace("generic/003 7\n", ""),
        "xfs_crc/generic/003.out.bad": "bad\n",
        "xfs_crc/result.xml": report({**CASES, "generic/003": FAILED}, HEAD.replace('failures="0"', 'failures="1"')),
    },
    "of xfstests-bld": {
        f"{kind}/results-4k/results.xml": report(
            {**CASES, "generic/475": ERROR},
            HEAD.replace('tests="4"', 'tests="5" errors="1"').replace('value="xfs_crc"', f'value="{kind}_4k"'),
        )
        for kind in ("ext4", "xfs")
    },
}
CUT_STEP = 7
"""Bytes between cuts: where a cut is made hardly matters but for the lines that it leaves."""
End = tuple[str, str, Status]
Told = tuple[Counter[End], frozenset[int]]


def told(files: Mapping[str, bytes]) -> Told | None:
    """How often which test ended how in all runs, and their exit codes; None where the directory is refused."""
    with tempfile.TemporaryDirectory() as directory:
        for name, data in files.items():
            path = Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        try:
            sections = find_sections(Path(directory))
        except UserError:
            return None
    ends: Counter[End] = Counter()
    codes = set()
    for section in sections:
        outcomes = {TestId("fstests", section.profile, name): end for name, end in section.outcomes.items()}
        ends.update((section.profile, test.plain.name, end.status) for test, end in outcomes.items())
        verdict = judge_run([*outcomes], outcomes, baseline.Baseline("6.1"), can_rerun=False)
        codes.add(int(verdict.exit_code))
    return ends, frozenset(codes)


def check(kind: str, damaged: Mapping[str, bytes], *, renamed: bool = False) -> None:
    """Hold a damaged directory against the whole one; `renamed`: names may have been changed, so only numbers are compared."""
    whole, found = undamaged(kind), told(damaged)
    if found is None:
        return
    ends, expected = (_by_status(each[0]) if renamed else each[0] for each in (found, whole))
    assert all(number <= expected[end] for end, number in ends.items() if end[2] is Status.PASS)
    assert ends == expected or 0 not in found[1]


def _by_status(ends: Counter[End]) -> Counter[End]:
    return Counter(("", "", status) for _, _, status in ends.elements())


def intact(kind: str) -> dict[str, bytes]:
    return {name: text.encode() for name, text in KINDS[kind].items()}


@cache
def undamaged(kind: str) -> Told:
    found = told(intact(kind))
    assert found is not None
    return found


@st.composite
def places(draw: st.DrawFn) -> tuple[str, str, int]:
    """A kind of directory, a file in it, a byte in that."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    name = draw(st.sampled_from(sorted(KINDS[kind])))
    return kind, name, draw(st.integers(0, len(KINDS[kind][name].encode())))


def test_the_whole_ones_say_what_they_should() -> None:
    codes = {}
    for kind in KINDS:
        found = undamaged(kind)
        codes[kind] = found[1]
        assert Status.MISSING not in {status for _, _, status in found[0]}
    assert codes == {
        "with a report": {0},
        "without a report": {0},
        "with a failure": {4},
        "of xfstests-bld": {1},
    }


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_file_that_was_cut_anywhere_or_is_gone(kind: str) -> None:
    files = intact(kind)
    for name, data in files.items():
        check(kind, {other: each for other, each in files.items() if other != name})
        for at in range(0, len(data), CUT_STEP):
            check(kind, {**files, name: data[:at]})


@given(places(), st.integers(1, 200))
@settings(max_examples=100, deadline=None)
def test_a_piece_that_is_lost(place: tuple[str, str, int], length: int) -> None:
    kind, name, at = place
    files = intact(kind)
    check(kind, {**files, name: files[name][:at] + files[name][at + length :]}, renamed=True)


@given(
    places(),
    st.binary(min_size=1, max_size=40) | st.sampled_from([b"&", b"<", b"\xff", b"\x00", b"]]>", b"<!--", b'"']),
)
@settings(max_examples=100, deadline=None)
def test_a_piece_that_was_put_in(place: tuple[str, str, int], piece: bytes) -> None:
    kind, name, at = place
    files = intact(kind)
    check(kind, {**files, name: files[name][:at] + piece + files[name][at:]}, renamed=True)


@given(places(), st.integers(0, 255))
@settings(max_examples=100, deadline=None)
def test_a_byte_that_is_another(place: tuple[str, str, int], byte: int) -> None:
    kind, name, at = place
    files = intact(kind)
    check(kind, {**files, name: files[name][:at] + bytes([byte]) + files[name][at + 1 :]}, renamed=True)


@pytest.mark.parametrize("kernel", ["6.1.193", "6.6.1", "", "nonsense"])
@pytest.mark.parametrize("kind", ["with a report", "without a report", "with a failure"])
def test_a_paragraph_that_stands_twice_or_has_another_kernel(kind: str, kernel: str) -> None:
    files = intact(kind)
    log = files["xfs_crc/check.log"]
    other = log.replace(b"6.1.192", kernel.encode())
    logs = [log + log, other, *([] if kind == "without a report" else [other + log, log + other])]
    for each in logs:
        check(kind, {**files, "xfs_crc/check.log": each})
