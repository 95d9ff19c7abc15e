"""Reports in the formats that kernels print, and the choice between several of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.triage import oops as module
from kdevops.triage.oops import ConsoleWatch, find_oops
from kdevops.triage.patterns import PATTERNS

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
    ("line", "kind", "fatal"),
    [
        ("Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", "panic", True),
        ("Kernel panic - not syncing: sysrq triggered crash", "panic", True),
        ("BUG: unable to handle page fault for address: ffffc90000000000", "oops", True),
        ("BUG: unable to handle kernel NULL pointer dereference at 0000000000000008", "oops", True),
        ("Unable to handle kernel paging request at virtual address dead000000000108", "oops", True),
        ("Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP", "oops", True),
        ("general protection fault, probably for non-canonical address 0xdffffc0000000000: 0000 [#1]", "oops", True),
        ("Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP", "oops", True),
        ("invalid opcode: 0000 [#1] PREEMPT SMP", "oops", True),
        ("divide error: 0000 [#1] SMP", "oops", True),
        ("BUG: TASK stack guard page was hit at 000000001234 (stack is 00001000..00002000)", "oops", True),
        ("kernel BUG at fs/ext4/inode.c:1234!", "bug", True),
        ("BUG: KASAN: use-after-free in foo+0x12/0x34", "kasan", False),
        ("BUG: KFENCE: out-of-bounds read in foo+0x12/0x34", "kfence", False),
        ("BUG: KCSAN: data-race in a / b", "kcsan", False),
        ("UBSAN: array-index-out-of-bounds in lib/foo.c:12:3", "ubsan", False),
        ("BUG: sleeping function called from invalid context at mm/slab.h:420", "bug", False),
        ("BUG: scheduling while atomic: swapper/0/1/0x00000002", "bug", False),
        ("watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [cat:123]", "soft lockup", False),
        ("NMI watchdog: Watchdog detected hard LOCKUP on cpu 0", "hard lockup", False),
        ("INFO: task fsstress:123 blocked for more than 120 seconds.", "hung task", False),
        ("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", "rcu stall", False),
        ("rcu: INFO: rcu_sched self-detected stall on CPU", "rcu stall", False),
        ("XFS: Assertion failed: ip->i_df.if_nextents == 0, file: fs/xfs/xfs_inode.c, line: 1", "xfs assertion", False),
        (
            "XFS (vdc): Metadata corruption detected at xfs_agf_verify+0x1/0x2, xfs_agf block 0x1",
            "xfs corruption",
            False,
        ),
        ("XFS (vdc): Corruption of in-memory data (0x8) detected at foo (fs/xfs/a.c:1).", "xfs corruption", False),
        ("assertion failed: 0, in fs/btrfs/disk-io.c:1", "btrfs assertion", False),
        ("EXT4-fs error (device vdc): ext4_lookup:1: inode #2: comm ls: iget", "ext4 error", False),
        ("WARNING: possible circular locking dependency detected", "lockdep", False),
        ("WARNING: suspicious RCU usage", "lockdep", False),
        ("WARNING: inconsistent lock state", "lockdep", False),
        ("WARNING: sh/123 still has locks held!", "lockdep", False),
        ("WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected", "lockdep", False),
        ("WARNING: CPU: 0 PID: 1 at kernel/foo.c:12 foo+0x1/0x2", "warning", False),
        ("WARNING: kernel/foo.c:12 at foo+0x1/0x2, CPU#0: sh/12", "warning", False),
        ("kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)", "memory leak", False),
        ("Out of memory: Killed process 123 (stress) total-vm:1kB", "out of memory", False),
    ],
)
@pytest.mark.parametrize(
    "prefix", ["", "[    1.234567] ", "<0>[    1.234567][    T1] ", "2026-11-21T00:31:02.123Z [    1.234567] "]
)
def test_every_kind_of_report(line, kind, fatal, prefix):
    found = find_oops([f"{prefix}all is well", f"{prefix}{line}\r\n", f"{prefix}more"])
    assert (found.kind, found.fatal) == (kind, fatal)
    assert found.title in line
    assert found.text == f"{line}\nmore"


@pytest.mark.parametrize(
    "line",
    [
        "Linux version 6.1.99",
        "tests: debug: BUGS: none",
        "systemd[1]: Started a WARNING: service",
        "RCU Tasks Trace: Setting shift to 1",
        "INFO: something ordinary",
        "EXT4-fs (vda): warning: mounting unchecked fs",
        "Internal errors: none",
        "traps: sh[123] trap invalid opcode ip:55 sp:7f error:0 in sh[55+10]",
        "traps: sh[123] general protection fault ip:55 sp:7f error:0 in sh[55+10]",
        "kmemleak: Kernel memory leak detector initialized",
    ],
)
def test_ordinary_lines_are_none(line):
    assert find_oops([line]) is None


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


def test_every_pattern_has_its_source():
    assert all(pattern.source and pattern.kind for pattern in PATTERNS)


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
