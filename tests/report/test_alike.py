from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.report.alike import alike, pattern
from kdevops.text import clean

WORDS = "/dev/vdb /media/test/a /proc/fs 12 123 4096k 0x1f CPU:_0 PID:_7 test scratch filesystem device xfs … ( ) / ,"
words = st.sampled_from([*(word.replace("_", " ") for word in WORDS.split()), " ", "\x1b[2J", "\n"])
sentences = st.lists(words, max_size=12).map("".join) | st.text(max_size=60)


@given(sentences)
def test_a_pattern_has_nothing_left_to_replace(text: str) -> None:
    assert pattern(pattern(text)) == pattern(text)


@given(st.lists(sentences, max_size=30))
def test_every_item_is_in_one_group_and_order_does_not_matter(texts: list[str]) -> None:
    groups = alike((text, number) for number, text in enumerate(texts))
    assert sorted(number for _, members in groups for number in members) == list(range(len(texts)))
    assert len({pattern(told) for told, _ in groups}) == len(groups)
    for told, members in groups:
        assert {pattern(texts[number]) for number in members} == {pattern(told)}
        same = {clean(texts[number]) for number in members}
        assert told == (min(same) if len(same) == 1 else pattern(told))
    backwards = alike((text, number) for number, text in reversed(list(enumerate(texts))))
    assert [(told, Counter(members)) for told, members in backwards] == [(told, Counter(m)) for told, m in groups]


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("/dev/vdb too small", "/dev/disk/by-id/virtio-kd-1 too small", "… too small"),
        ("needs 1048576 KiB on /media/test.", "needs 2097152 KiB on /media/scratch.", "needs … KiB on …."),
        (
            "WARNING: CPU: 0 PID: 12 at fs/inode.c:12",
            "WARNING: CPU: 1 PID: 99 at fs/inode.c:12",
            "WARNING: CPU: … PID: … at fs/inode.c:12",
        ),
        (
            "Reflink not supported by test filesystem type: xfs",
            "Reflink not supported by scratch filesystem type: xfs",
            "Reflink not supported by test or scratch filesystem type: xfs",
        ),
    ],
)
def test_what_varies_is_left_out(one: str, other: str, told: str) -> None:
    assert alike([(one, 1), (other, 2), (one, 3)]) == [(told, [1, 2, 3])]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("requires /sys/fs/xfs/stats", "requires /sys/fs/xfs/debug"),
        ("atomic writes up to 64k", "atomic writes up to 256k"),
        ("xfs_io fiemap support is missing", "xfs_io fzero support is missing"),
        ("needs kernel 5.19", "needs kernel 6.1"),
        ("WARNING: CPU: 0 PID: 12 at fs/inode.c:1204", "WARNING: CPU: 0 PID: 12 at fs/inode.c:1311"),
    ],
)
def test_what_tells_them_apart_stays(one: str, other: str) -> None:
    assert alike([(one, 1), (other, 2)]) == [(one, [1]), (other, [2])] or alike([(one, 1), (other, 2)]) == [
        (other, [2]),
        (one, [1]),
    ]


def test_a_sentence_that_all_have_is_told_as_it_is() -> None:
    assert alike([("/dev/vdb is 4096 KiB", 1), ("/dev/vdb is 4096 KiB", 2)]) == [("/dev/vdb is 4096 KiB", [1, 2])]
