"""Reports of syzkaller's public corpus: which are recognised, as what kind, and that no cause is lost.

The corpus is google/syzkaller's pkg/report/testdata/linux/report: a file begins with headers ("TITLE: KASAN: invalid-free in
foo") up to an empty line, then comes a console, and in some, behind another empty line and "REPORT:", what their parser keeps
of it. A file without a title must not be taken for a report. Name its directory in KDEVOPS_SYZKALLER_CORPUS.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from kdevops.triage.oops import Oops, find_oops, find_reports

# Titles that are not counted, with the reason: our consoles cannot have them, or no kernel prints them.
LEFT_OUT = (
    (r"SYZ(?:FAIL|FATAL): ", "what syzkaller's executor says of itself"),
    (r"go runtime error$", "a crash of syzkaller's own programs"),
    (r"unexpected kernel reboot$", "messages of a boot loader; the runner sees a reboot by other means"),
    (r"trusty: ", "the words of another operating system, Trusty, beside the kernel's own warning"),
    (r"WARNING: foo$|INFO: corrupted$", "made up for their parser"),
)

# "possible deadlock" and others with a word of their own, and those that are BUG in older kernels and WARNING in newer.
LOCKING = (
    r"possible deadlock|inconsistent lock state|INFO: (?:suspicious RCU|trying to register)|BUG: MAX_|(?:BUG|WARNING): "
    r"(?:bad unlock|held lock|still has locks|nested lock|lock held|suspicious RCU|possible circular)"
)
PREFACES = "list corruption|usercopy|fortify|refcount|odebug|kobject|sysfs|vfs|slab|swap|bug"

# What a title calls a report, and the kinds that we call it: that of the report or of the message that announces it.
KINDS = tuple(
    (re.compile(title), frozenset(kinds.split("|")))
    for title, kinds in (
        (r"KASAN: ", "kasan"),
        (r"KMSAN: ", "kmsan"),
        (r"KFENCE: ", "kfence"),
        (r"KCSAN: ", "kcsan"),
        (r"UBSAN: ", "ubsan"),
        (r"memory leak in ", "memory leak"),
        (r"INFO: rcu detected stall", "rcu stall"),
        (r"INFO: task ", "hung task"),
        (r"BUG: soft lockup", "soft lockup"),
        (r"BUG: workqueue lockup", "workqueue lockup"),
        (r"BUG: spinlock lockup", "spinlock lockup"),
        (r"unregister_netdevice: ", "netdevice"),
        (r"INFO: (?:Freed|Allocated) in ", "slab|kasan"),
        (LOCKING, "lockdep"),
        (r"WARNING: locking bug", "lockdep|warning"),
        (r"WARNING", f"warning|{PREFACES}"),
        (r"BUG: corrupted list", "list corruption"),
        (r"BUG: bad usercopy", "usercopy"),
        (r"BUG: (?:unable to handle|stack guard page)", "oops"),
        (r"kernel BUG ", f"btrfs assertion|xfs assertion|{PREFACES}"),
        (r"attempt to .* with overflow in ", "bug"),
        (r"VFS: ", "vfs"),
        (r"BUG: ", "bug|slab"),
        (r"kernel panic: bad mode", "oops"),
        (r"kernel panic: ", "panic"),
        (r"", "oops"),
    )
)


@dataclass(frozen=True)
class Sample:
    name: str
    title: str
    lines: list[str]

    @property
    def kinds(self) -> frozenset[str]:
        return next(kinds for title, kinds in KINDS if title.match(self.title))

    @property
    def counted(self) -> bool:
        return not any(re.match(title, self.title) for title, _ in LEFT_OUT)


def read(path: Path) -> Sample:
    lines = path.read_bytes().decode(errors="replace").replace("\r", "").split("\n")
    headers, console = lines[: lines.index("")], lines[lines.index("") + 1 :]
    for number in range(1, len(console)):
        if console[number] == "REPORT:" and not console[number - 1]:
            console = console[:number]
            break
    title = next((line.removeprefix("TITLE: ") for line in headers if line.startswith("TITLE: ")), "")
    return Sample(path.name, title, console)


def cause_lost(sample: Sample, found: Oops) -> bool:
    """Whether something else is blamed, though the report of the title was found before it."""
    if found.kind in sample.kinds:
        return False
    kinds = [report.kind for report in find_reports(sample.lines)]
    named = next((number for number, kind in enumerate(kinds) if kind in sample.kinds), len(kinds))
    return found.kind == "panic" or named < kinds.index(found.kind)


def test_reports_of_the_corpus_are_recognised(capsys: pytest.CaptureFixture[str]) -> None:
    if not (directory := os.environ.get("KDEVOPS_SYZKALLER_CORPUS")):
        pytest.skip(
            "set KDEVOPS_SYZKALLER_CORPUS to pkg/report/testdata/linux/report of a checkout of google/syzkaller"
        )
    samples = [read(path) for path in sorted(Path(directory).iterdir()) if path.name.isdigit()]
    titled = [(sample, find_oops(sample.lines)) for sample in samples if sample.title and sample.counted]
    silent = [(sample, find_oops(sample.lines)) for sample in samples if not sample.title]
    unknown = [sample for sample, found in titled if found is None]
    other = [(sample, found) for sample, found in titled if found and found.kind not in sample.kinds]
    false = [(sample, found) for sample, found in silent if found]
    lost = [(sample, found) for sample, found in titled if found and cause_lost(sample, found)]
    known = 1 - len(unknown) / len(titled)
    same = 1 - (len(unknown) + len(other)) / len(titled)
    with capsys.disabled():
        print(
            f"\nsyzkaller corpus: {len(samples)} files, {len(titled)} titled and counted, {len(silent)} without a title"
        )
        print(f"recognised {known:.2%}, same kind {same:.2%}, {len(false)} false, {len(lost)} causes lost")
        for title, reason in LEFT_OUT:
            left_out = [sample.name for sample in samples if re.match(title, sample.title)]
            print(f"left out: {len(left_out)} of /{title}/, {reason} ({', '.join(left_out)})")
        for sample in unknown:
            print(f"not recognised: {sample.name} {sample.title}")
        for sample, found in other:
            print(f"another kind: {sample.name} {sample.title}: {found.kind}: {found.title[:80]}")
    assert titled
    assert silent
    assert known >= 0.99
    assert same >= 0.95
    assert [sample.name for sample, _ in false] == []
    assert [sample.name for sample, _ in lost] == []
