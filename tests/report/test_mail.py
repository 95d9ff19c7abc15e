from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kdevops.report.mail import mail
from kdevops.report.origins import origins, profiles
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.model import Counts, Outcome, RunState, Status, TestId
from kdevops.results.store import Run
from kdevops.results.verdict import RunVerdict, judge_run
from tests.report.samples import BASELINE, OUTCOMES, PLANNED, RUN, S, tid, verdict
from tests.support.decided import regressed

RECORD = {
    "kdevops": "0.1.0",
    "kernel": {
        "release": "6.6.12+",
        "source": "https://git.kernel.org/pub/scm/linux/kernel/git/stable/linux.git linux-6.6.y",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "diff_sha256": "ff",
        "patches": [{"name": f"000{n}-fix.patch", "sha256": "aa"} for n in range(7)],
        "spec": {"config": {"base": "lean", "fragments": ["./kasan.config"], "options": ["CONFIG_PROVE_LOCKING=y"]}},
    },
    "suites": {
        "fstests": {
            "commit": "63a29724a85f1999e49bf0a9bf0d22643b6116e5",
            "diff_sha256": "",
            "profile xfs_crc": "mkfs -f -m crc=1,reflink=0,rmapbt=0 -i sparse=0; mount -o logbsize=256k,noquota,noatime",
            "profile ext4_1k": "mkfs -F -b 1k",
        }
    },
    "image": {"packages": {"e2fsprogs": "1.47.0-2+b2", "xfsprogs": "6.1.0-1", "bash": "5"}},
    "lab": {"guests": {"count": 2, "cpus": 2, "memory": 4 << 30}},
    "acceleration": "tcg",
}
RUN_OF_FSTESTS = replace(RUN, lab="xfs", record=RECORD)
KNOWN = {
    "generic/475": Entry(Counts({S.PASS: 12})),
    "generic/388": Entry(Counts({S.PASS: 9, S.FAIL: 5})),
    "xfs/017": Entry(Counts({S.FAIL: 3}), note="reported"),
    "xfs/018": Entry(Counts({S.FAIL: 3})),
    "xfs/019": Entry(Counts({S.FAIL: 3})),
}
REFLINK = "Reflink not supported by {} filesystem type: xfs"
ENDED = {
    ("xfs_crc", "generic/001"): Outcome(S.PASS, 12.4),
    ("xfs_crc", "generic/002"): Outcome(S.PASS, 3.0, oops="WARNING: CPU: 0 PID: 12 at fs/xfs/xfs_a.c:12\n"),
    ("xfs_crc", "generic/003"): Outcome(S.PASS, 3.0, oops="WARNING: CPU: 1 PID: 99 at fs/xfs/xfs_a.c:12\n"),
    ("xfs_crc", "generic/388"): Outcome(S.FAIL, 40.0, "output mismatch"),
    ("xfs_crc", "generic/475"): Outcome(
        S.CRASH,
        700.0,
        "BUG: kernel NULL pointer dereference, address: 0",
        oops="BUG: kernel NULL pointer dereference\n",
    ),
    ("xfs_crc", "generic/110"): Outcome(S.SKIP, 1.0, REFLINK.format("test")),
    ("xfs_crc", "generic/111"): Outcome(S.SKIP, 1.0, REFLINK.format("scratch")),
    ("xfs_crc", "xfs/017"): Outcome(S.FAIL, 5.0, "exit code 1"),
    ("xfs_crc", "xfs/018"): Outcome(S.SKIP, 0.0, "known failure: korg#1"),
    ("xfs_crc", "xfs/019"): Outcome(S.PASS, 5.0),
    ("ext4_1k", "generic/001"): Outcome(S.PASS, 10.0),
    ("ext4_1k", "generic/001#2"): Outcome(S.HANG, 600.0, "not done after 600 s"),
    ("ext4_1k", "generic/002"): Outcome(S.FAIL, 2.0, "_check_dmesg: something found in dmesg"),
}
EXPECTED = """\
Regression: 1 test got worse; 10 of 13 tests ran; 2 failures are not
decided: generic/001#2, generic/002; 2 skipped; 1 left out as known to
fail; 5 new; kernel reports under 2 tests
compared with the baseline of 6.6; none for fstests/ext4_1k

Kernel:  6.6.12+,
         https://git.kernel.org/pub/scm/linux/kernel/git/stable/linux.git
         linux-6.6.y, commit 0123456789ab with local changes, with
         0000-fix.patch, 0001-fix.patch, 0002-fix.patch, 0003-fix.patch,
         0004-fix.patch and 2 more
Config:  lean, ./kasan.config, CONFIG_PROVE_LOCKING=y
fstests: commit 63a29724a85f
Tools:   xfsprogs 6.1.0-1, e2fsprogs 1.47.0-2+b2
Guests:  2 with 2 CPUs and 4 GiB each, emulated (tcg)
Date:    2026-11-21 08:00 UTC, 10 min 00 s
Run:     12 of lab xfs, kdevops 0.1.0
Profiles:
  xfs_crc  mkfs -f -m crc=1,reflink=0,rmapbt=0 -i sparse=0; mount -o
           logbsize=256k,noquota,noatime
  ext4_1k  mkfs -F -b 1k

xfs_crc: 10 tests, 2 failures, 1 crashed, 3 skipped, 770 seconds
  Regressed: generic/475 (crash)
  Known flakes: generic/388
  Known failures: xfs/017
  Known failures, left out: xfs/018
  Fixed: xfs/019

ext4_1k: 3 tests, 1 failure, 1 hung, 0 skipped, 612 seconds
  Not decided yet: generic/001 (hang, 1 of 2) generic/002

Total: 13 tests, 3 failures, 1 crashed, 1 hung, 3 skipped, 1382 seconds
  13 planned = 5 pass + 3 fail + 3 skip + 1 crash + 1 hang + 0 missing
  Slowest: xfs_crc generic/475 700 s, ext4_1k generic/001#2 600 s,
    xfs_crc generic/388 40 s, xfs_crc generic/001 12 s,
    ext4_1k generic/001 10 s

What went wrong:
    1  crash: BUG: kernel NULL pointer dereference, address: 0
       xfs_crc generic/475 (was 12 pass)
    1  hang: not done after 600 s
       ext4_1k generic/001#2
    1  fail: _check_dmesg: something found in dmesg
       ext4_1k generic/002
    1  fail: output mismatch
       xfs_crc generic/388 (was 9 pass, 5 fail, bad in 36% (16%-61%))

Kernel reports under 2 tests:
    2  WARNING: CPU: … PID: … at fs/xfs/xfs_a.c:12
       xfs_crc generic/002, xfs_crc generic/003

Skipped in xfs_crc: 3
    2  Reflink not supported by test or scratch filesystem type: xfs
    1  known failure, left out

Problems of the machine (not test results):
    2  guest xfs-1 died; its disk is …
"""


def judged() -> RunVerdict:
    outcomes = {TestId("fstests", *key): outcome for key, outcome in ENDED.items()}
    baseline = Baseline("6.6", {("fstests", "xfs_crc"): Table("6.6", KNOWN)})
    return judge_run(
        list(outcomes),
        outcomes,
        baseline,
        left_out={TestId("fstests", "xfs_crc", "xfs/018")},
        decisions=regressed(TestId("fstests", "xfs_crc", "generic/475")),
    )


def test_the_whole_mail() -> None:
    troubles = ["guest xfs-1 died; its disk is /tmp/a", "guest xfs-1 died; its disk is /tmp/b"]
    assert mail(RUN_OF_FSTESTS, judged(), troubles=troubles) == EXPECTED


def test_suites_without_profiles_have_their_own_names() -> None:
    text = mail(replace(RUN, record={"kernel": {"release": "6.6.12+"}}), verdict())
    assert "\nselftests: 10 tests, 2 failures, 1 crashed, 1 hung, 1 missing, 2 skipped, 609\n    seconds\n" in text
    assert "  No result: splice:short\n" in text
    assert "\nNo result in selftests: 1\n    1  no result yet\n" in text
    assert "\nkunit: 1 test, 1 failure, 0 skipped, 0 seconds\n  Not decided yet: example\n" in text


def test_crashes_that_cannot_run_again_are_listed_as_what_they_look_like() -> None:
    ended = {
        TestId("fstests", "xfs_crc", "generic/475"): Outcome(S.CRASH),
        TestId("fstests", "xfs_crc", "generic/476"): Outcome(S.CRASH),
        TestId("fstests", "xfs_crc", "generic/477"): Outcome(S.FAIL),
        TestId("fstests", "ext4_1k", "generic/001"): Outcome(S.HANG),
    }
    baseline = Baseline("6.6", {("fstests", "xfs_crc"): Table("6.6", KNOWN)})
    text = mail(RUN_OF_FSTESTS, judge_run(list(ended), ended, baseline, can_rerun=False))
    assert (
        "  Regressed: generic/475 (crash)\n  New failures: generic/476 (crash)\n  Not decided yet: generic/477\n"
    ) in text
    assert "  Failures: generic/001 (hang)\n" in text


def test_profiles_of_one_name_are_told_apart_by_their_suites() -> None:
    tests = [TestId(suite, "same", "x") for suite in ("fstests", "other")]
    text = mail(RUN_OF_FSTESTS, judge_run(tests, {test: Outcome(S.PASS) for test in tests}, BASELINE))
    assert "\nfstests/same: 1 test," in text
    assert "\nother/same: 1 test," in text


def test_a_run_of_the_largest_shape_stays_readable() -> None:
    tests = [TestId("fstests", f"p{p}", f"generic/{n:03}") for p in range(24) for n in range(1154)]
    bad = set(tests[::92])
    outcomes = {test: Outcome(S.FAIL if test in bad else S.PASS, 16.5, "output mismatch") for test in tests}
    lines = mail(RUN_OF_FSTESTS, judge_run(tests, outcomes, Baseline("6.6"))).splitlines()
    assert len(lines) < 250
    assert lines[-1].endswith(f" and {len(bad) - 10} more")
    named = [word for line in lines if not line.startswith("p") for word in line.split() if word.startswith("generic/")]
    assert len(named) >= len(bad)


def test_an_imported_run_says_where_it_is_from() -> None:
    imported = Run(3, "imported", RUN.state, RUN.created, RUN.ended, {"kernel": {"release": "6.1.11+"}})
    imported.record["imported"] = {"directory": "/srv/results"}  # type: ignore[index]
    assert origins(imported) == [
        ("Kernel", "6.1.11+"),
        ("Imported", "2026-11-21 08:00 UTC"),
        ("Run", "3 of lab imported, imported from /srv/results"),
    ]
    assert profiles(imported) == []
    ran = {"ext4_4k": "2026-11-20T23:59:00", "xfs_4k": "2026-11-21T07:00:00", "xfs_1k": "2026-11-21T02:00:00"}
    imported.record["imported"] = {"directory": "/srv/results", "ran": ran}  # type: ignore[index]
    assert ("Ran", "2026-11-20 to 2026-11-21") in origins(imported)


def test_a_kernel_that_came_built() -> None:
    kernel = {"release": "6.1.192", "prebuilt": "/boot/bzImage", "sha256": "ab" * 32}
    assert origins(replace(RUN, record={"kernel": kernel}))[0] == ("Kernel", "6.1.192, prebuilt, sha256 abababababab")
    kernel = {"release": "6.1.0-18-amd64", "package": "linux-image-amd64"}
    assert origins(replace(RUN, record={"kernel": kernel}))[0] == (
        "Kernel",
        "6.1.0-18-amd64, package linux-image-amd64",
    )


@given(st.text(max_size=300), st.sampled_from(list(Status)), st.integers(1, 4))
def test_nothing_a_guest_says_breaks_a_line(said: str, status: Status, times: int) -> None:
    tests = [tid(f"{'x' * 90}{n}") for n in range(times)]
    outcomes = {test: Outcome(status, reason=said, oops=said, guest=said, output=said) for test in tests}
    text = mail(RUN_OF_FSTESTS, judge_run(tests, outcomes, BASELINE), troubles=[said])
    assert max(map(len, text.split("\n"))) <= 80
    assert not set(text) & set(map(chr, (*range(10), *range(11, 32), 127)))
    assert f"  {times} planned = " in text


def test_every_test_is_counted_once() -> None:
    text = mail(RUN_OF_FSTESTS, judge_run(PLANNED, OUTCOMES, BASELINE))
    assert "\n  11 planned = 3 pass + 3 fail + 2 skip + 1 crash + 1 hang + 1 missing\n" in text


def test_a_run_that_was_cut_short_names_no_thousand_tests() -> None:
    tests = [TestId("fstests", "xfs_crc", f"generic/{number:03}") for number in range(1154)]
    text = mail(
        replace(RUN_OF_FSTESTS, state=RunState.RUNNING), judge_run(tests, {tests[0]: Outcome(S.PASS)}, BASELINE)
    )
    assert text.startswith("Unfinished: 1153 of 1154 tests have no result;")
    assert "generic/002" not in text
    assert text.endswith("\nNo result in xfs_crc: 1153\n 1153  no result yet\n")


statuses = st.sampled_from(list(Status))
entries = st.dictionaries(st.sampled_from([S.PASS, S.FAIL, S.SKIP, S.CRASH, S.HANG]), st.integers(1, 3), max_size=3)


@given(st.lists(st.tuples(statuses, st.none() | entries, st.booleans()), min_size=1, max_size=12), st.integers(1, 3))
def test_no_failure_is_hidden(given_tests: list[tuple[Status, dict[Status, int] | None, bool]], times: int) -> None:
    outcomes, known = {}, {}
    for number, (status, before, left_out) in enumerate(given_tests):
        test = TestId("fstests", "xfs_crc", f"generic/{number:03}")
        outcomes |= {test.repeat(n): Outcome(status if n == times else S.PASS, 1.0) for n in range(1, times + 1)}
        if before is not None:
            known[test.name] = Entry(Counts(before), expunged=left_out)
    baseline = Baseline("6.6", {("fstests", "xfs_crc"): Table("6.6", known)} if known else {})
    lists = mail(RUN_OF_FSTESTS, judge_run(list(outcomes), outcomes, baseline)).partition("\nTotal: ")[0]
    for test, outcome in outcomes.items():
        if outcome.status in {S.FAIL, S.CRASH, S.HANG, S.MISSING}:
            assert f" {test.plain.name}" in lists, lists
    assert f"\nxfs_crc: {len(outcomes)} test" in lists
