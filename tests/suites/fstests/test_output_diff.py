"""The fingerprint of a difference in the output: the same in every run, and another one for another difference."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.suites.fstests.output_diff import MAX_LINES, OutputDiff, without_what_varies


def read(*changes: str, head: bool = True, end: bool = True) -> OutputDiff:
    lines = [
        *(
            ["--- tests/generic/004.out\t2026-11-20", "+++ /results/xfs/generic/004.out.bad\t2026-11-21"]
            if head
            else []
        ),
        *(["@@ -1,2 +1,3 @@", " QA output created by 004"] if head else []),
        *changes,
        *(["...", "(Run 'diff -u a b'  to see the entire diff)", "+not part of it"] if end else []),
    ]
    diff = OutputDiff()
    for line in lines:
        diff.read(f"    {line}".rstrip())
    return diff


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+wrote 4096 bytes at offset 12288", "+wrote 512 bytes at offset 0"),
        ("+cp: cannot create '/mnt/scratch/a.1': No space", "+cp: cannot create '/mnt/test/b/c': No space"),
        ("+Sat Nov 21 03:00:00 UTC 2026", "+Sun Dec  6 11:59:01 UTC 2026"),
        ("+2026-11-21 03:00:00.123456", "+2025-01-01 13:10:10.5"),
        ("+d41d8cd98f00b204e9800998ecf8427e  SCRATCH_MNT/f", "+0cc175b9c0f1b6a831c399e269772661  SCRATCH_MNT/f"),
        ("+UUID 8c2b5c2e-0f3a-4c63-9f0a-4cd7f2b1b111", "+UUID 1c2b5c2e-0f3a-4c63-9f0a-4cd7f2b1b112"),
        ("+0000020: cd cd cd cd 00 00 ff 1a", "+0000040: ab ab ab ab 00 01"),
        ("+fault at 0x7ffe01 (pid 12)", "+fault at 0xdead (pid 4711)"),
        ("+in tmp.Xa9Q/file", "+in tmp.bb8_Z/file"),
        ("+took 1.25s", "+took 12s"),
        ("+a\tb", "+a  b"),
    ],
)
def test_what_varies_from_run_to_run_is_not_in_it(one: str, other: str) -> None:
    assert read(one).fingerprint == read(other).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+No space left on device", "+Structure needs cleaning"),
        ("+Silence is golden", "-Silence is golden"),
        ("+ext3: error", "+ext4: error"),
        ("+wrote NUM bytes", "+read NUM bytes"),
        ("+/mnt/scratch: Input/output error", "+/mnt/scratch: Read-only file system"),
    ],
)
def test_another_difference_has_another_one(one: str, other: str) -> None:
    assert read(one).fingerprint != read(other).fingerprint


@given(
    st.lists(st.sampled_from(["+a b", "-c", "+ext4: d", "+No space"]), min_size=1), st.randoms(use_true_random=False)
)
def test_order_and_number_do_not_matter(changes: list[str], order: random.Random) -> None:
    shuffled = [*changes, *changes[:1]]
    order.shuffle(shuffled)
    assert read(*changes).fingerprint == read(*shuffled).fingerprint


def test_neither_the_header_nor_what_follows_is_in_it() -> None:
    assert read("+a").fingerprint == read("+a", end=False).fingerprint == read("+a", head=False).fingerprint
    assert read("+a").first == "+a"
    assert read("+a").ended
    assert not read("+a", end=False).ended


def test_a_line_that_looks_like_a_header_counts_after_the_first_hunk_began() -> None:
    assert read("--- old line").fingerprint not in {"", read("+a").fingerprint}
    assert read("--- old line", head=False).fingerprint == ""


def test_nothing_that_differs_has_none() -> None:
    assert (read().fingerprint, read().first) == ("", "")
    assert read("", " context", "\\ No newline at end of file").fingerprint == ""


@given(st.lists(st.text(max_size=60)))
def test_any_lines_are_read(lines: list[str]) -> None:
    fingerprint = read(*lines).fingerprint
    assert fingerprint == "" or (len(fingerprint) == 8 and int(fingerprint, 16) >= 0)


def test_it_is_bounded() -> None:
    many = read(*(f"+{'x' * n}" for n in range(10 * MAX_LINES)))
    assert many.fingerprint == read(*(f"+{'x' * n}" for n in range(MAX_LINES))).fingerprint
    assert len(read("+" + "y" * 100_000).first) < 300


@given(st.text())
def test_what_varies_is_taken_out_once(line: str) -> None:
    once = without_what_varies(line)
    assert without_what_varies(once) == once
