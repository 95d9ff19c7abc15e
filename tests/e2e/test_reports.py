"""A kernel complains under tests of every suite that pass: each report is told with its test and makes the run red, once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import shared_lab
from tests.support.command_line import Answer, Kdevops

PROVOKE = "d=/sys/kernel/debug; [ -e $d/kdevops-provoke ] || mount -t debugfs none $d; echo {} >$d/kdevops-provoke"
DEBUGGING = ("KASAN=y", "KASAN_INLINE=y", "PROVE_LOCKING=y", "DEBUG_LOCKDEP=n", "FRAME_WARN=0")
SIGNATURES = {
    "deadlock": "possible deadlock in provoke_deadlock",
    "overflow": "KASAN: slab-out-of-bounds Write in provoke_overflow",
    "shift": "UBSAN: shift-out-of-bounds in provoke_shift",
    "warning": "WARNING in provoke_warning",
}
AT_BOOT = "kunit/default/example"


def provoking(path: Path, troubles: Sequence[str], options: Sequence[str] = ()) -> Path:
    """A lab whose tests provoke each of these troubles and pass, in all three suites."""
    lab: dict[str, Any] = shared_lab()
    lab |= {"name": "reports", "baseline": str(path / "baselines")}
    lab["guests"] |= {"count": 1, "memory": "2GiB"}
    lab["kernel"]["cmdline"] = [f"kdevops_provoke.at_boot={','.join(troubles)}"]
    lab["kernel"]["config"]["options"] += options
    lab["suites"]["selftests"]["targets"].append("provoke")
    lab["suites"]["commands"] = {"tests": {"quiet": "true", **{each: PROVOKE.format(each) for each in troubles}}}
    file = path / "reports.yaml"
    file.write_text(yaml.safe_dump(lab))
    return file


def run(kdevops: Kdevops, lab: Path, troubles: Sequence[str]) -> Answer:
    only = ["commands/*", AT_BOOT, *(f"selftests/default/provoke:{each}.sh" for each in troubles)]
    return kdevops("run", lab, *(word for glob in only for word in ("--only", glob)), "--json", timeout=7200)


def told(answer: Answer, *, known: bool) -> dict[str, list[str]]:
    """The signatures of the reports under each test."""
    tests = {f"{each['suite']}/{each['profile']}/{each['name']}": each for each in answer.data["tests"]}
    assert all(report["known"] == known for each in tests.values() for report in each["reports"])
    return {name: [report["signature"] for report in each["reports"]] for name, each in tests.items()}


def check(kdevops: Kdevops, lab: Path, troubles: Sequence[str]) -> None:
    first = run(kdevops, lab, troubles)
    assert set(first.statuses().values()) == {"pass"}, first.stderr[-4000:]
    assert first.code == 1, "a kernel that complains is not green, whatever its tests say of themselves"
    found = told(first, known=False)
    at_boot = found.pop(AT_BOOT)
    assert sorted(at_boot) == sorted(SIGNATURES[each] for each in troubles)
    expected = {f"{suite}/default/{name}": each for each in troubles for suite, name in names(each)}
    assert found == {"commands/default/quiet": [], **{name: [SIGNATURES[each]] for name, each in expected.items()}}
    for name, each in expected.items():
        kept = (Path(first.data["directory"]) / f"{name}.console").read_text()
        assert f"provoke_{each}" in kept

    kdevops("baseline", "accept", check=0)
    again = run(kdevops, lab, troubles)
    assert again.code == 0, again.stderr[-4000:]
    told(again, known=True)


def names(trouble: str) -> list[tuple[str, str]]:
    return [("commands", trouble), ("selftests", f"provoke:{trouble}.sh")]


def test_what_sets_no_taint_flag_and_what_sets_one(kdevops: Kdevops, tmp_path: Path) -> None:
    check(kdevops, provoking(tmp_path, ["shift", "warning"]), ["shift", "warning"])


@pytest.mark.soak
def test_a_kernel_with_every_checker(kdevops: Kdevops, tmp_path: Path) -> None:
    check(kdevops, provoking(tmp_path, list(SIGNATURES), DEBUGGING), list(SIGNATURES))
