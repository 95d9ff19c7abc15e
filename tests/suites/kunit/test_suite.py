"""KUnit: which suites a boot is told to run, and what became of them."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.lab.model import Kunit
from kdevops.progress import silent
from kdevops.results.model import Status, TestId
from kdevops.suites.base import KernelBuild, PlannedTest
from kdevops.suites.kunit.filter import NOTHING, matching, pattern_for
from kdevops.suites.kunit.results import outcome_from_debugfs, outcomes_from_console
from kdevops.suites.kunit.suite import KunitSuite, PreparedKunit, choose, kernel_options

KNOWN = ("alpha", "beta_one", "beta_two", "gamma.dotted", "list sort")

HEAD = """\
[    0.500000] KTAP version 1
[    0.500000] 1..3
"""
ALPHA = """\
[    0.500000]     KTAP version 1
[    0.500000]     # Subtest: alpha
[    0.500000]     1..2
[    0.500000]     ok 1 first
[    0.510000] random: crng init done
[    0.520000]     ok 2 second # SKIP not here
[    0.520000] ok 1 alpha
"""
BETA = """\
[    0.600000]     KTAP version 1
[    0.600000]     # Subtest: beta_one
[    0.600000]     1..1
[    0.600000]     # third: EXPECTATION FAILED at lib/x.c:3
[    0.600000]     not ok 1 third
[    0.600000] not ok 2 beta_one
"""
CUT = """\
[    0.700000]     KTAP version 1
[    0.700000]     # Subtest: beta_two
[    0.700000]     1..2
[    0.700000]     ok 1 fourth
[    0.700000] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    0.700000] Kernel panic - not syncing: Fatal exception
"""


def ids(*names):
    return tuple(TestId("kunit", "default", name) for name in names)


def test_kernel_options():
    options = kernel_options(Kunit(options=["CONFIG_KUNIT_EXAMPLE_TEST=y", "EXT4_KUNIT_TESTS=m"]))
    assert options.required == {
        "KUNIT": "y", "KUNIT_DEBUGFS": "y", "KUNIT_EXAMPLE_TEST": "y", "EXT4_KUNIT_TESTS": "m",
    }  # fmt: skip


def test_choose():
    assert choose(KNOWN, (), Kunit()) == (KNOWN, ())
    assert choose(KNOWN[:3], KNOWN[3:], Kunit(suites=["beta*", "gamma*"])) == (KNOWN[1:3], KNOWN[3:4])
    with pytest.raises(UserError, match=r"no suite 'alpah'; did you mean alpha\?"):
        choose(KNOWN, (), Kunit(suites=["alpah"]))
    with pytest.raises(UserError, match="has no KUnit suite"):
        choose((), (), Kunit())


def test_choose_refuses_a_mixture_that_no_boot_can_run():
    with pytest.raises(UserError, match="runs beta_two from modules"):
        choose(("beta_one", "gamma"), ("alpha", "beta_two"), Kunit())


@pytest.mark.parametrize(
    ("wanted", "pattern"),
    [
        ((), NOTHING),
        (KNOWN, None),
        (("alpha",), "alpha"),
        (("beta_one", "beta_two"), "b*"),
        (("gamma.dotted",), "gamma?dotted"),
        (("list sort",), "list?sort"),
        (KNOWN[1:], "[!a]*"),
        (("alpha", "beta_two"), "alpha"),
    ],
)
def test_pattern(wanted, pattern):
    assert pattern_for(wanted, KNOWN) == pattern


NAMES = st.lists(st.text("ab_-1", min_size=1, max_size=5), unique=True, min_size=1, max_size=8)


@given(NAMES, st.data())
def test_pattern_runs_something_and_nothing_unwanted(known, data):
    wanted = data.draw(st.lists(st.sampled_from(known), unique=True))
    ran = matching(pattern_for(wanted, known), known)
    assert set(ran) <= set(wanted)
    assert bool(ran) == bool(wanted)


def test_console():
    told = outcomes_from_console((HEAD + ALPHA + BETA).splitlines(), ids("alpha", "beta_one", "absent"))
    alpha, beta = (told.outcomes[test] for test in ids("alpha", "beta_one"))
    assert alpha.status is Status.PASS
    assert [(subtest.name, subtest.status) for subtest in alpha.subtests] == [
        ("first", Status.PASS),
        ("second", Status.SKIP),
    ]
    assert beta.status is Status.FAIL
    assert beta.reason == "third failed: third: EXPECTATION FAILED at lib/x.c:3"
    assert told.in_flight is None
    assert set(told.outcomes) == set(ids("alpha", "beta_one"))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_suite_that_ran_twice_is_as_bad_as_its_worst_run(order):
    runs = [f"    # Subtest: s\n    1..1\n    {word} 1 a\n{word} {{}} s\n" for word in ("ok", "not ok")]
    log = "KTAP version 1\n1..2\n" + "".join(runs[each].format(place + 1) for place, each in enumerate(order))
    assert outcomes_from_console(log.splitlines(), ids("s")).outcomes[ids("s")[0]].status is Status.FAIL
    assert outcome_from_debugfs(log, "s").status is Status.FAIL


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        (
            "# Totals: pass:0 fail:1 skip:0 total:1",
            "says ok, but its totals count 1 failures, but no result tells of them",
        ),
        ("    Bail out! no memory", "says ok, but bailed out"),
    ],
)
def test_what_is_wrong_inside_a_suite_is_the_suites_failure(inside, reason):
    log = f"KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: s\n    1..1\n    ok 1 a\n{inside}\nok 1 s\n"
    outcome = outcome_from_debugfs(log, "s")
    assert (outcome.status, outcome.reason) == (Status.FAIL, reason)


def test_console_cut_by_a_panic():
    told = outcomes_from_console((HEAD + ALPHA + CUT).splitlines(), ids("alpha", "beta_two", "later"))
    (crashed,) = ids("beta_two")
    assert told.in_flight == crashed
    assert told.outcomes[crashed].status is Status.CRASH
    assert told.outcomes[crashed].reason == "the kernel died in beta_two after fourth"
    assert [subtest.name for subtest in told.outcomes[crashed].subtests] == ["fourth"]
    assert set(told.outcomes) == set(ids("alpha", "beta_two"))


def test_console_without_ktap():
    told = outcomes_from_console(["Linux version 6.1"], ids("alpha"))
    assert not told.outcomes


def test_all_cases_skipped_is_a_skip():
    text = "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: s\n    1..1\n    ok 1 c # SKIP no\nok 1 s # SKIP"
    outcome = outcome_from_debugfs(text, "s")
    assert (outcome.status, outcome.reason) == (Status.SKIP, "no")
    assert outcome_from_debugfs(text.removesuffix(" # SKIP"), "s").status is Status.SKIP


def test_debugfs():
    assert outcome_from_debugfs(ALPHA, "alpha").status is Status.PASS
    assert outcome_from_debugfs("", "alpha") is None


@dataclass
class Guest:
    """Has a kernel's log, and answers reads of debugfs results."""

    log: str = ""
    results: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def run(self, command, *, timeout, check=True):
        self.asked.append(command[-1])
        return type("Done", (), {"stdout": self.results.get(command[-1], "")})()


def prepared(known=KNOWN):
    tests = tuple(PlannedTest(test, 300) for test in ids(*known))
    return PreparedKunit(tuple(known), tests, {})


def collect(suite, names, console=(), guest=None):
    log = guest.log.splitlines() if guest else list(console)
    return asyncio.run(suite.collect(ids(*names), log, guest, timeout=5))


def test_cmdline():
    assert prepared().cmdline(()) == (f"kunit.filter_glob={NOTHING}",)
    assert "kunit.filter_glob=alpha" in prepared().cmdline(ids("alpha"))
    assert "kunit.enable=1" in prepared().cmdline(ids(*KNOWN))
    assert not any("filter" in word for word in prepared().cmdline(ids(*KNOWN)))


def test_a_quiet_boot_does_not_silence_modules():
    assert replace(prepared(), modular=("zeta_one", "zeta_two")).cmdline(()) == ("kunit.filter_glob=z*",)
    assert prepared(()).cmdline(()) == ()


def test_collect_from_a_dead_guest():
    outcomes = collect(prepared(), ["alpha", "beta_two", "gamma.dotted"], (HEAD + ALPHA + CUT).splitlines())
    assert {test.name: outcome.status for test, outcome in outcomes.items()} == {
        "alpha": Status.PASS,
        "beta_two": Status.CRASH,
    }


def test_collect_from_the_log_of_a_live_guest():
    guest = Guest(HEAD + ALPHA + BETA)
    outcomes = collect(prepared(("alpha", "beta_one")), ["alpha", "beta_one"], guest=guest)
    assert [outcome.status for outcome in outcomes.values()] == [Status.PASS, Status.FAIL]
    assert guest.asked == []


def test_collect_asks_debugfs_for_what_the_log_lost():
    guest = Guest(HEAD + BETA, {"alpha": ALPHA})
    outcomes = collect(prepared(("alpha", "beta_one")), ["alpha", "beta_one"], guest=guest)
    assert {test.name: outcome.status for test, outcome in outcomes.items()} == {
        "alpha": Status.PASS,
        "beta_one": Status.FAIL,
    }


def test_collect_never_reads_debugfs_of_filtered_suites():
    guest = Guest(HEAD)
    (outcome,) = collect(prepared(), ["alpha"], guest=guest).values()
    assert outcome.status is Status.MISSING
    assert guest.asked == []


def test_collect_leaves_out_what_this_boot_was_not_asked_to_run():
    outcomes = collect(prepared(), ["alpha", "beta_two"], guest=Guest(HEAD + ALPHA))
    assert [test.name for test in outcomes] == ["alpha"]


def test_prepare_needs_vmlinux():
    with pytest.raises(UserError, match="needs the kernel's vmlinux"):
        asyncio.run(KunitSuite(Kunit()).prepare(KernelBuild("k", None, None, None), cache=Path("/x"), report=silent))
