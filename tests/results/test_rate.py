import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.model import Counts, Status
from kdevops.results.rate import counts_of, rate_of

S = Status


@pytest.mark.parametrize(
    ("note", "rate"),
    [
        ("F:1/11", (1, 11)),
        ("F:~1/5", (1, 5)),
        ("F: ~1/5 hung task https://bugs.example/1", (1, 5)),
        ("# F:1/30", (1, 30)),
        ("Hung:1/6 https://bugs.example/1", (1, 6)),
        ("Hung task F:1/10", (1, 10)),
        ("remove me once we update F:1/12 test bug", (1, 12)),
        ("failure rate 1/40 seems like a test bug?", (1, 40)),
        ("flaky test - failure rate is about 1/1604 https://bugs.example/1/2", (1, 1604)),
        ("fails on xfs_a failure rate: 1/9 and on xfs_b with a failure rate of failure rate 1/3", (1, 9)),
        ("started hanging after reducing RAM size to 2GB, rate 1/20 - 1/100", (1, 20)),
        ("hung task failure rate ~ 2/30", (2, 30)),
        ("F:1/1", (1, 1)),
        ("after ~15 runs", (1, 15)),
        ("failed after more than 80 runs - a test bug", (1, 80)),
        ("hang after 69 loops", (1, 69)),
        ("fails on nocrc configs very frequently. fails on other configs about 1/100.", (1, 100)),
        ("bsc#1 - fails 3/10 times approx", (3, 10)),
        ("F:0/3; F:1/4", (1, 4)),
        ("after 3 days", None),
        ("after ~0 runs", None),
        ("", None),
        ("korg#218226", None),
        ("F:0/3", None),
        ("F:4/3", None),
        ("F:1/2/3", None),
        ("AF:1/2", None),
        ("bisected on 1/2", None),
        ("tar -xOJf results/20230725/6.5.0/xfs/506.out.bad", None),
        ("rate https://bugs.example/rate/1/2", None),
        ("F:1/٣", None),
    ],
)
def test_how_often_a_test_fails(note: str, rate: tuple[int, int] | None) -> None:
    assert rate_of(note) == rate


words = st.lists(
    st.sampled_from(["crash", "hung", "task", "korg#218226", "https://b.example/1", "-", "#", "~"]), max_size=4
)
written = st.sampled_from(["F:{}", "F:~{}", "F: ~{}", "Hung:{}", "failure rate {}", "failure rate is about {}"])


@given(words, written, st.integers(1, 10**9 - 1), st.integers(1, 10**9 - 1), words)
def test_a_rate_is_read_wherever_it_stands(
    before: list[str], form: str, some: int, more: int, after: list[str]
) -> None:
    bad, runs = sorted((some, more))
    note = " ".join([*before, form.format(f"{bad}/{runs}"), *after])
    assert rate_of(note) == (bad, runs)
    counts = counts_of(note)
    assert (counts.bad, counts.total) == (bad, runs)
    assert 0 not in counts.counts.values()


@given(st.text(alphabet=st.sampled_from("Ff:~ /0123rate") | st.characters(), max_size=40))
def test_any_note_has_a_rate_of_its_own_or_none(note: str) -> None:
    rate = rate_of(note)
    assert rate is None or (0 < rate[0] <= rate[1] and "/" in note)
    assert counts_of(note).bad >= 1


@pytest.mark.parametrize(
    ("note", "counts"),
    [
        ("", {S.FAIL: 1}),
        ("korg#218226", {S.FAIL: 1}),
        ("F:1/11", {S.PASS: 10, S.FAIL: 1}),
        ("F:3/3", {S.FAIL: 3}),
        ("Hung:1/6 https://bugs.example/1", {S.PASS: 5, S.HANG: 1}),
        ("F:1/8 hung task", {S.PASS: 7, S.HANG: 1}),
        ("F:1/4 stalls", {S.PASS: 3, S.HANG: 1}),
        ("Hangs. SOAK_DURATION=9900", {S.HANG: 1}),
        ("hang with no panic on xfs_crc", {S.HANG: 1}),
        ("lazy baseline - can sometimes run forever", {S.PASS: 1, S.HANG: 1}),
        ("Seems to just hang sometimes", {S.PASS: 1, S.HANG: 1}),
        ("fails or hangs - failure rate about 1/200", {S.PASS: 199, S.HANG: 1}),
        ("fails after ~5 runs, crashes sometimes", {S.PASS: 4, S.CRASH: 1}),
        ("crash null pointer https://bugs.example/hung", {S.CRASH: 1}),
        ("hung task, then a panic", {S.CRASH: 1}),
        ("F:1/2 VM_BUG_ON_FOLIO", {S.PASS: 1, S.FAIL: 1}),
        ("btrfs BUG_ON() while CPU hot unplug", {S.CRASH: 1}),
        ("flaky test", {S.PASS: 1, S.FAIL: 1}),
        ("Flakey", {S.PASS: 1, S.FAIL: 1}),
        ("unreliable test", {S.PASS: 1, S.FAIL: 1}),
        ("flaky test - failure rate is about 1/1604", {S.PASS: 1603, S.FAIL: 1}),
        ("failed to create flakey device", {S.FAIL: 1}),
        ("low-hanging-fruit: device-mapper reload ioctl on flakey-test device", {S.FAIL: 1}),
        ("https://bugs.example/flaky/crash/hang", {S.FAIL: 1}),
        ("20210216.piqok@do-not-panic.com", {S.FAIL: 1}),
        ("listed in /home/me/crash lists/flaky F:1/2/all.txt:7 (listed for 6.1.42)", {S.FAIL: 1}),
        ("korg#1; F:1/5; F:1/7", {S.PASS: 4, S.FAIL: 1}),
        ("F:1/5; hangs", {S.PASS: 4, S.HANG: 1}),
    ],
)
def test_what_a_note_counts_for(note: str, counts: dict[Status, int]) -> None:
    assert counts_of(note) == Counts(counts)


@pytest.mark.parametrize(
    ("why", "counts"),
    [
        ("F:3/40 flaky; Hung:1/40", {Status.PASS: 36, Status.FAIL: 3, Status.HANG: 1}),
        ("crash F:1/2; F:1/2; see x", {Status.FAIL: 1, Status.CRASH: 1}),
        ("F:3/40; Hung:1/41", {Status.PASS: 37, Status.HANG: 3}),  # of other runs
        ("F:3/40; F:4/40", {Status.PASS: 37, Status.FAIL: 3}),
        ("F:3/4; Hung:2/4", {Status.PASS: 1, Status.HANG: 3}),  # more than there were runs
    ],
)
def test_notes_of_the_same_runs_are_read_together(why: str, counts: dict[Status, int]) -> None:
    assert counts_of(why) == Counts(counts)
