"""Which report is the cause of which, and which are one."""

from __future__ import annotations

import pytest

from kdevops.triage import oops
from kdevops.triage.oops import find_oops, find_reports
from kdevops.triage.patterns import Severity

WARN = "WARNING: CPU: 0 PID: 12 at kernel/foo.c:12 foo+0x1/0x2"
KASAN = "BUG: KASAN: slab-use-after-free in toy_free+0x1ef/0x7b0"
HUNG = "INFO: task toy{number}:{number} blocked for more than 122 seconds."
END = "---[ end trace 0000000000000000 ]---"


def console(*lines: str, start: float = 12.0, step: float = 0.000001) -> list[str]:
    """Lines with the kernel's clock before them."""
    return [f"[{start + number * step:12.6f}] {line}" for number, line in enumerate(lines)]


def trace(count: int, name: str = "toy_fn") -> list[str]:
    return [
        "CPU: 0 PID: 12 Comm: toy Not tainted 6.12.0 #1",
        "Call Trace:",
        *(f" {name}_{number}+0x1/0x2" for number in range(count)),
    ]


@pytest.mark.parametrize("length", [5, 97, 149, 150, 151, 199, 200, 201, 5000])
def test_the_report_stands_however_long_it_is_before_the_panic(length: int) -> None:
    panic = "Kernel panic - not syncing: KASAN: panic_on_warn set ..."
    end = f"---[ end {panic} ]---"
    (report,) = find_reports(console(KASAN, *trace(length), panic, "CPU: 0 PID: 12 Comm: toy", end))
    assert (report.kind, report.title, report.severity) == ("kasan", KASAN, Severity.FATAL)
    lines = report.text.split("\n")
    assert "toy_fn_0" in report.text
    assert lines[-3:] == [panic, "CPU: 0 PID: 12 Comm: toy", end]
    left_out = [line for line in lines if "lines left out" in line]
    kept = len(lines) - len(left_out)
    assert left_out == ([f"[... {length + 6 - kept} lines left out ...]"] if length + 6 > kept else [])
    assert len(lines) <= 201


@pytest.mark.parametrize(
    ("first", "kind", "panic"),
    [
        (WARN, "warning", "kernel: panic_on_warn set ..."),
        (WARN, "warning", "panic_on_warn set ..."),
        (WARN, "warning", "system warned too often (kernel.warn_limit is 1)"),
        ("UBSAN: shift-out-of-bounds in fs/a.c:1:2", "ubsan", "UBSAN: panic_on_warn set ..."),
        ("BUG: KMSAN: uninit-value in foo+0x1/0x2", "kmsan", "kmsan.panic set ..."),
        ("BUG: KMSAN: uninit-value in foo+0x1/0x2", "kmsan", "panic_on_kmsan set ..."),
        ("BUG: scheduling while atomic: sh/12/0x2", "bug", "scheduling while atomic"),
        ("INFO: task toy:12 blocked for more than 122 seconds.", "hung task", "hung_task: blocked tasks"),
        ("watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [cat:12]", "soft lockup", "softlockup: hung tasks"),
        ("watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1", "hard lockup", "Hard LOCKUP"),
        (
            "BUG: workqueue lockup - pool cpus=0 stuck for 30s!",
            "workqueue lockup",
            "workqueue: 3 stall(s) exceeded threshold 2",
        ),
        ("rcu: INFO: rcu_preempt self-detected stall on CPU", "rcu stall", "RCU Stall"),
        ("Oops: int3: 0000 [#1] SMP", "oops", "Fatal exception in interrupt"),
        ("Oops: Kernel access of bad area, sig: 11 [#1]", "oops", "Fatal exception: panic_on_oops"),
        ("kernel BUG at fs/a.c:1!", "bug", "Fatal exception"),
        ("Oops: 0002 [#1] SMP", "oops", "Attempted to kill init! exitcode=0x00000009"),
        ("Oops: 0002 [#1] SMP", "oops", "Aiee, killing interrupt handler!"),
        ("SError Interrupt on CPU1, code 0xbf000002 -- SError", "oops", "Asynchronous SError Interrupt"),
        ("Insufficient stack space to handle exception!", "oops", "kernel stack overflow"),
        ('VFS: Cannot open root device "vda1" or unknown-block(0,0)', "panic", "VFS: Unable to mount root fs on (0,0)"),
        ("EXT4-fs error (device vdb): a:1: b", "ext4 error", "EXT4-fs (device vdb): panic forced after error"),
        ("Out of memory and no killable processes...", "out of memory", "System is deadlocked on memory"),
    ],
)
@pytest.mark.parametrize("between", [0, 20, 400])
def test_a_panic_that_only_says_that_something_was_told_points_back(
    first: str, kind: str, panic: str, between: int
) -> None:
    lines = console(first, *trace(between), f"Kernel panic - not syncing: {panic}", "CPU: 0")
    (report,) = find_reports(lines)
    assert (report.kind, report.title, report.severity) == (kind, first, Severity.FATAL)
    assert report.text.endswith(f"\nKernel panic - not syncing: {panic}\nCPU: 0")
    assert find_oops(lines) == report
    bare = find_reports([line[15:] for line in lines])
    assert [(told.title, told.fatal) for told in bare] == [(first, True)]


@pytest.mark.parametrize(
    ("panic", "gap"),
    [
        ("stack-protector: Kernel stack is corrupted in: foo+0x1/0x2", 0.5),
        ("corrupted stack end detected inside scheduler", 3600),
        ("sysrq triggered crash", 2),
        ("Attempted to kill init! exitcode=0x00000100", 3),
        ("Attempted to kill init! exitcode=0x0000000b", 3600),
        ("Fatal exception", 3600),
        ("hung_task: blocked tasks", 1),
        ("RCU Stall", 1),
        ("panic_on_warn set ...", 3600),
    ],
)
def test_a_panic_with_words_of_its_own_or_of_another_hour_is_its_own(panic: str, gap: float) -> None:
    lines = console(WARN, *trace(3), END) + console(
        "run fstests generic/002", f"Kernel panic - not syncing: {panic}", start=12.1 + gap
    )
    first, second = find_reports(lines)
    assert (first.title, first.severity) == (WARN, Severity.WARNING)
    assert (second.kind, second.severity) == ("panic", Severity.FATAL)
    assert find_oops(lines) == second


def test_the_stalls_of_one_scan_are_one_report_and_the_first_is_told() -> None:
    lines = [line for number in range(5) for line in (HUNG.format(number=number), *trace(28, f"toy_wait_{number}"))]
    (report,) = find_reports(console(*lines, "Kernel panic - not syncing: hung_task: blocked tasks"))
    assert report.title == HUNG.format(number=0)
    assert report.fatal
    apart = find_reports(console(*lines[:31]) + console(*lines[31:62], start=300))
    assert len(apart) == 2


def test_a_stall_that_is_told_again_and_again_panics_for_the_first_of_the_row() -> None:
    old, first, again = (HUNG.format(number=number) for number in range(3))
    panic = "Kernel panic - not syncing: hung_task: blocked tasks"
    lines = console(old, *trace(3)) + console(first, *trace(3), start=4000) + console(again, *trace(3), start=4120)
    reports = find_reports(lines + console(panic, start=4120.1))
    assert [(report.title, report.fatal) for report in reports] == [(old, False), (first, True), (again, False)]


def test_a_preface_and_its_report_are_one() -> None:
    for lines in (
        ("refcount_t: underflow; use-after-free.", WARN),
        (WARN, "refcount_t: underflow; use-after-free."),
        (
            "list_del corruption. prev->next should be 0, but was 1",
            "kernel BUG at lib/list_debug.c:51!",
            "Oops: invalid opcode: 0000 [#1] SMP",
        ),
        (
            "BUG: unable to handle page fault for address: 0",
            "#PF: x",
            "Oops: 0002 [#1] SMP",
            "KASAN: null-ptr-deref in range [0-1]",
        ),
        (
            "Unable to handle kernel paging request at virtual address 0",
            "Mem abort info:",
            "Internal error: Oops: 0000000096000004 [#1] SMP",
        ),
        ("general protection fault, probably for x: 0000 [#1] SMP", "KASAN: maybe wild-memory-access in range [0-1]"),
        (
            "unregister_netdevice: waiting for veth0 to become free. Usage count = 2",
            "ref_tracker: veth0@00 has 1/1 users at",
        ),
        ("BUG: stack guard page was hit at 0 (stack is 0..1)", "kernel stack overflow (double-fault): 0000 [#1] SMP"),
    ):
        (report,) = find_reports(console(*lines, *trace(3), END))
        assert report.title == lines[0]
        assert all(line in report.text for line in lines)


def test_two_warnings_are_two_and_keep_their_own_lines() -> None:
    other = WARN.replace("foo", "bar")
    first, second = find_reports(console(WARN, *trace(2), END, "hello", other, *trace(2, "other_fn"), END))
    assert (first.title, second.title) == (WARN, other)
    assert "other_fn" not in first.text
    assert "hello" not in first.text
    assert second.text.endswith(END)


def test_an_oops_right_behind_a_report_in_the_same_task_leaves_the_blame_with_that() -> None:
    dies = ("Oops: general protection fault, maybe for address 0x10: 0000 [#1] SMP", *trace(3), END)
    lines = console(KASAN, *trace(9)) + console(*dies, start=12.2)
    first, second = find_reports(lines)
    assert (first.severity, second.severity) == (Severity.VIOLATION, Severity.FATAL)
    blamed = find_oops(lines)
    assert blamed
    assert (blamed.title, blamed.severity) == (KASAN, Severity.FATAL)
    assert blamed.text == f"{first.text}\n{second.text}"


@pytest.mark.parametrize(
    ("between", "start", "pid"),
    [((), 14.5, 12), ((), 12.2, 99), (("    ok 3 kmalloc_oob",), 12.2, 12), (("run fstests a/1 at x",), 12.2, 12)],
)
def test_an_oops_of_another_time_task_or_test_is_its_own(between: tuple[str, ...], start: float, pid: int) -> None:
    dies = ("Oops: 0002 [#1] SMP", *trace(3), END)
    later = [line.replace("PID: 12", f"PID: {pid}") for line in console(*between, *dies, start=start)]
    blamed = find_oops(console(WARN, *trace(9), END) + later)
    assert blamed
    assert blamed.title == "Oops: 0002 [#1] SMP"


def test_an_oops_in_the_next_test_of_any_suite_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    later = console("toy: begins a/1", "Oops: 0002 [#1] SMP", *trace(3), END, start=12.2)
    lines = console(WARN, *trace(9), END) + later
    blamed = find_oops(lines)
    assert blamed
    assert blamed.title == WARN, "no suite has such a mark"
    monkeypatch.setattr(oops, "console_marks", lambda: ("toy: begins ",))
    blamed = find_oops(lines)
    assert blamed
    assert blamed.title == "Oops: 0002 [#1] SMP"


def test_a_panic_long_after_what_could_have_announced_a_report_is_its_own() -> None:
    panic = "Kernel panic - not syncing: sysrq triggered crash"
    lines = console("VFS: Busy inodes after unmount of vdb (xfs)") + console(panic, start=30)
    assert [report.kind for report in find_reports(lines)] == ["vfs", "panic"]


def test_another_kernel_is_not_explained_by_the_one_before() -> None:
    boot = console("Linux version 6.1", "Kernel panic - not syncing: Fatal exception", start=0)
    first, second = find_reports(console("Oops: 0002 [#1] SMP", *trace(3), END) + boot)
    assert (first.kind, first.fatal, second.kind) == ("oops", True, "panic")
    assert "panic" not in first.text


def test_what_follows_a_panic_is_part_of_it() -> None:
    panic = "Kernel panic - not syncing: sysrq triggered crash"
    (report,) = find_reports(console(panic, *trace(3), WARN, *trace(3), END, f"---[ end {panic} ]---"))
    assert (report.kind, report.title) == ("panic", panic)
    assert report.text.endswith("]---")


def test_a_quiet_kernel_ends_a_report() -> None:
    (report,) = find_reports(console(KASAN, *trace(3)) + console("something else", start=40))
    assert "something else" not in report.text


def test_what_programs_print_among_its_lines_is_not_part_of_a_report() -> None:
    lines = console(KASAN, *trace(3))
    lines.insert(2, "ok 1 a program says")
    lines[3] = f"its prompt: {lines[3]}"
    (report,) = find_reports(lines)
    assert report.text.split("\n") == [KASAN, *trace(3)]


def test_a_program_that_shows_the_log_does_not_report_again() -> None:
    said = console(KASAN, *trace(3), WARN, *trace(2), END)
    assert [report.title for report in find_reports([*said, *said])] == [KASAN, WARN]


def test_notices_in_a_row_are_one() -> None:
    lines = [
        f"I/O error, dev vdb, sector {number} op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2" for number in range(500)
    ]
    (report,) = find_reports(console(*lines))
    assert (report.severity, report.count) == (Severity.NOTICE, 500)
    assert len(report.text.split("\n")) <= 201
