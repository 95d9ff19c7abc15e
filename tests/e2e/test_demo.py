"""The demo, as a stranger runs it: a kernel built, booted, tested and compared with the baseline in this repository."""

from __future__ import annotations

from tests.e2e.conftest import BUILD_SECONDS, DEMO, Kdevops


def test_demo_is_green_whole_and_can_be_run_again(kdevops: Kdevops) -> None:
    ran = kdevops("run", *DEMO, "--json", timeout=BUILD_SECONDS)
    assert ran.code == 0, ran.stderr[-4000:] + ran.stdout[-4000:]
    told = ran.data
    assert told["complete"]
    assert told["planned"] == sum(
        told["counts"][status] for status in ("pass", "fail", "skip", "crash", "hang", "missing")
    )
    assert told["counts"]["pass"] >= 40
    assert {suite["suite"] for suite in told["suites"]} == {"selftests", "kunit", "kunit-modules"}
    assert all(suite["baseline"] for suite in told["suites"])
    assert "KVM" in ran.stderr or "kvm" in ran.stderr, "what accelerates the guests is said"

    listed = kdevops("results", "--json", check=0).data
    assert [run["state"] for run in listed] == ["complete"]
    assert kdevops("results", "1", "--format", "junit", check=0).stdout.startswith("<?xml")
    assert kdevops("results", "1", "--format", "ktap", check=0).stdout.startswith("KTAP version 1")
    assert kdevops("baseline", "diff", "1", check=0).stdout

    again = kdevops("rerun", "1", "--json", check=0)
    assert again.statuses() == ran.statuses()
    assert again.data["run"] == 2
