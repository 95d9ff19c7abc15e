"""Reports in the formats that kernels print, and the choice between several of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.triage import oops as module
from kdevops.triage.oops import MAX_REPORTS, ConsoleWatch, find_oops, find_reports
from kdevops.triage.patterns import Severity
from tests.triage.kernel_messages import REPORTS

NULL_DEREFERENCE = """\
[   12.345678] BUG: kernel NULL pointer dereference, address: 0000000000000000
[   12.345690] #PF: supervisor write access in kernel mode
[   12.345700] #PF: error_code(0x0002) - not-present page
[   12.345720] Oops: 0002 [#1] PREEMPT SMP NOPTI
[   12.345730] CPU: 1 PID: 214 Comm: sh Not tainted 6.1.99 #1
[   12.345750] RIP: 0010:sysrq_handle_crash+0x16/0x20
[   12.345800] Call Trace:
[   12.345810]  <TASK>
[   12.345820]  __handle_sysrq+0x9b/0x170
[   12.345830]  </TASK>
[   12.345900] ---[ end trace 0000000000000000 ]---
[   12.346000] Kernel panic - not syncing: Fatal exception
[   12.346100] Kernel Offset: disabled
[   12.346200] ---[ end Kernel panic - not syncing: Fatal exception ]---
[   12.999999] after the end
"""


def test_the_cause_goes_before_the_panic():
    found = find_oops(NULL_DEREFERENCE.splitlines())
    assert found.kind == "oops"
    assert found.fatal
    assert found.title == "BUG: kernel NULL pointer dereference, address: 0000000000000000"
    assert "sysrq_handle_crash" in found.text
    assert found.text.endswith("---[ end Kernel panic - not syncing: Fatal exception ]---")
    assert "[   12" not in found.text


@pytest.mark.parametrize(
    "prefix", ["", "[    1.234567] ", "<0>[    1.234567][    T1] ", "2026-11-21T00:31:02.123Z [    1.234567] "]
)
def test_a_report_is_told_without_what_the_kernel_puts_before_it(prefix):
    for line, kind, severity in REPORTS:
        found = find_oops([f"{prefix}all is well", f"{prefix}{line}\r\n", f"{prefix}more"])
        assert (found.kind, found.severity, found.fatal) == (kind, severity, severity is Severity.FATAL)
        assert found.title in line
        assert found.text in (f"{line.rstrip()}\nmore", line.rstrip())


def test_the_worse_report_displaces_the_lesser():
    lines = [
        "WARNING: CPU: 0 PID: 1 at kernel/foo.c:12 foo+0x1/0x2",
        "---[ end trace 0000000000000000 ]---",
        "kernel BUG at fs/bar.c:1!",
        "WARNING: CPU: 0 PID: 1 at kernel/baz.c:12",
    ]
    assert find_oops(lines).title == "kernel BUG at fs/bar.c:1!"


def test_panic_on_warn_is_told_by_its_warning():
    lines = [
        "WARNING: CPU: 0 PID: 1 at kernel/foo.c:12 foo+0x1/0x2",
        "Call Trace:",
        "Kernel panic - not syncing: kernel: panic_on_warn set ...",
    ]
    found = find_oops(lines)
    assert found.kind == "warning"
    assert found.fatal
    assert "panic_on_warn" in found.text


def test_panic_long_after_a_warning_is_its_own():
    lines = ["WARNING: CPU: 0 PID: 1 at kernel/foo.c:12", "---[ end trace 0 ]---", "Kernel panic - not syncing: other"]
    assert find_oops(lines).kind == "panic"


def test_watch_tells_when_it_gets_worse():
    watch = ConsoleWatch()
    told = [watch.feed(line) for line in ["x", "WARNING: a.c:1 at f", "WARNING: b.c:1 at f", "kernel BUG at c.c:1!"]]
    assert told == [False, True, False, True]
    assert watch.oops.fatal


def test_text_is_bounded_and_clean():
    found = find_oops(["kernel BUG at \x1b[31m\x07" + "x" * 100_000, *["y" * 100_000] * 10_000])
    assert len(found.title) <= module.MAX_TITLE
    assert len(found.text) <= module.MAX_LINES * 4097
    assert "\x1b" not in found.text


@given(
    st.lists(
        st.one_of(
            st.text(max_size=60), st.sampled_from(NULL_DEREFERENCE.splitlines()), st.sampled_from(["BUG: ", "#1]"])
        ),
        max_size=30,
    )
)
def test_never_raises(lines):
    found = find_oops(lines)
    assert found is None or (found.title and found.text)


def test_a_panic_long_after_what_a_file_system_said_of_itself_is_its_own():
    error = "EXT4-fs error (device vdc): ext4_lookup:1: inode #2: comm ls: iget"
    panic = "Kernel panic - not syncing: sysrq triggered crash"
    assert find_oops([error, panic]).title == panic


def warning(number):
    return f"WARNING: CPU: 0 PID: 1 at kernel/foo.c:12 foo{number}+0x1/0x2"


def test_all_reports_are_told_in_order():
    lines = [
        warning(1),
        "---[ end trace 0 ]---",
        "EXT4-fs error (device vdb): a: b",
        warning(2),
        "---[ end trace 0 ]---",
    ]
    reports = find_reports(lines)
    assert [report.title for report in reports] == [lines[0], lines[2], lines[3]]
    assert [report.severity for report in reports] == [Severity.WARNING, Severity.NOTICE, Severity.WARNING]
    assert reports.left_out == 0
    assert find_reports(["all is well"]) == ()


@pytest.mark.parametrize(
    ("line", "gates", "spoils"),
    [
        ("EXT4-fs error (device vdb): a: b", False, False),
        ("I/O error, dev vdb, sector 12", False, False),
        ("Memory cgroup out of memory: Killed process 12 (a)", False, False),
        (warning(1), True, False),
        ("WARNING: suspicious RCU usage", True, False),
        ("UBSAN: shift-out-of-bounds in fs/a.c:1:2", True, False),
        ("BUG: KCSAN: data-race in a / b", True, False),
        ("WARNING: possible circular locking dependency detected", True, True),
        ("INFO: trying to register non-static key.", True, True),
        ("irq 16: nobody cared", True, True),
        ("INFO: task a:1 blocked for more than 120 seconds.", True, True),
        ("BUG: KASAN: slab-out-of-bounds in foo+0x1/0x2", True, True),
        ("Oops: 0002 [#1] SMP", True, True),
    ],
)
def test_what_a_report_says_of_the_test_and_of_the_guest(line, gates, spoils):
    (report,) = find_reports([line])
    assert (report.gates, report.spoils) == (gates, spoils)


def test_of_a_flood_the_first_and_the_worst_are_kept_and_the_rest_is_counted():
    flood = [line for number in range(1000) for line in (warning(number), "---[ end trace 0 ]---")]
    reports = find_reports([*flood, "kernel BUG at a.c:1!", "EXT4-fs error (device vdb): a: b"])
    assert len(reports) == MAX_REPORTS
    assert reports.left_out == 1002 - MAX_REPORTS
    assert reports[0].title == warning(0)
    assert [report.title for report in reports if report.fatal] == ["kernel BUG at a.c:1!"]
    late = find_reports([*flood, warning("late"), "Kernel panic - not syncing: panic_on_warn set ..."])
    assert [report.title for report in late if report.fatal] == [warning("late")]
    assert len(late) + late.left_out == 1001


def test_what_is_kept_of_a_flood_is_bounded():
    watch = ConsoleWatch()
    for number in range(3000):
        watch.feed(f"[{number // 10:5}.{number:06}] " + warning(number))
        watch.feed(f"[{number // 10:5}.{number:06}] " + "y" * 5000)
    seen, left = set(), list(watch._reports)
    while left:
        report = left.pop()
        if id(report) not in seen:
            seen.add(id(report))
            left += [other for other in (report.before, report.root) if other]
    assert len(seen) <= 3 * MAX_REPORTS
    assert max(len(line) for report in watch.reports for line in report.text.split("\n")) <= 1024


def test_a_watch_tells_what_batch_reading_does():
    lines = NULL_DEREFERENCE.splitlines()
    watch = ConsoleWatch()
    for line in lines:
        watch.feed(line)
    assert (watch.oops, watch.reports) == (find_oops(lines), find_reports(lines))
