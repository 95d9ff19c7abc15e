"""The same trouble has the same name in every boot and run, another trouble another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.triage.oops import find_oops
from kdevops.triage.signature import normal, signature

X86 = (
    "CPU: {cpu} PID: {pid} Comm: toy Not tainted 6.12.0 #1",
    "RIP: 0010:{function}+0x16/0x20",
    "Call Trace:",
    " <TASK>",
    " ? guess+0x1/0x2",
)
CALLER = (" {function}+0x1/0x2 [xfs]", " vfs_read+0x1/0x2", " </TASK>")

CASES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "KASAN: slab-use-after-free Read in toy_free",
        (
            "BUG: KASAN: slab-use-after-free in toy_free+0x1ef/0x7b0 [toy]",
            "Read of size {pid} at addr ffff888000{cpu}00000 by task toy/{pid}",
        ),
        "",
    ),
    (
        "KASAN: slab-out-of-bounds Write in toy_add",
        (
            "BUG: KASAN: slab-out-of-bounds in __list_add_valid+0x1/0x2",
            "Write of size 8 at addr ffff88800000000{cpu}",
            *CALLER,
        ),
        "toy_add",
    ),
    ("KFENCE: use-after-free read in foo", ("BUG: KFENCE: use-after-free read in foo.isra.0+0x12/0x34",), ""),
    ("KMSAN: uninit-value in foo", ("BUG: KMSAN: uninit-value in foo+0x12/0x34",), ""),
    ("KCSAN: data-race in alpha / beta", ("BUG: KCSAN: data-race in beta / alpha",), ""),
    ("KCSAN: data-race in alpha / beta", ("BUG: KCSAN: data-race in alpha+0x1/0x2 / beta+0x1/0x2",), ""),
    (
        "UBSAN: shift-out-of-bounds in toy_shift",
        (
            "UBSAN: shift-out-of-bounds in fs/a.c:1{pid}:2",
            " dump_stack_lvl+0x1/0x2",
            " ubsan_epilogue+0x1/0x2",
            *CALLER,
        ),
        "toy_shift",
    ),
    ("UBSAN: shift-out-of-bounds in fs/a.c", ("UBSAN: shift-out-of-bounds in fs/a.c:1{pid}:2",), ""),
    ("WARNING in foo", ("WARNING: CPU: {cpu} PID: {pid} at fs/xfs/a.c:12 foo+0x1/0x2 [xfs]",), ""),
    ("WARNING in foo", ("WARNING: CPU: {cpu} PID: {pid} at fs/xfs/a.c:12 foo.cold+0x1/0x2",), ""),
    ("WARNING in foo", ("WARNING: fs/xfs/a.c:12 at foo+0x1/0x2, CPU#{cpu}: toy/{pid}",), ""),
    ("WARNING in foo", ("WARNING: [x > 3] fs/xfs/a.c:12 at foo+0x1/0x2, CPU#{cpu}: toy/{pid}",), ""),
    ("WARNING in foo", ("WARNING: at foo+0x1/0x2, CPU#{cpu}: toy/{pid}",), ""),
    ("WARNING in kernel/foo.c", ("WARNING: CPU: {cpu} PID: {pid} at kernel/foo.c:12",), ""),
    (
        "possible deadlock in bar",
        (
            "WARNING: possible circular locking dependency detected",
            "6.1.192 #1 Not tainted",
            "toy/{pid} is trying to acquire lock:",
            "ffff88800{cpu}123456 (&x->lock){{+.+.}}-{{3:3}}, at: bar+0x12/0x34",
            "but task is already holding lock:",
            "ffff888001234567 (&y->lock){{+.+.}}-{{3:3}}, at: qux+0x12/0x34",
        ),
        "",
    ),
    (
        "inconsistent lock state in bar",
        ("WARNING: inconsistent lock state", "ffff8880 (&x){{+.?.}}-{{2:2}}, at: bar+0x12/0x34"),
        "",
    ),
    (
        "still has locks held in bar",
        ("WARNING: toy/{pid} still has locks held!", " #0: ffff (&x){{+.+.}}, at: bar+0x1/0x2"),
        "",
    ),
    (
        "suspicious RCU usage in toy_list",
        (
            "WARNING: suspicious RCU usage",
            "net/a.c:12 suspicious rcu_dereference_check() usage!",
            " dump_stack_lvl+0x1/0x2",
            " lockdep_rcu_suspicious+0x1/0x2",
            *CALLER,
        ),
        "toy_list",
    ),
    ("kernel BUG in foo", ("kernel BUG at fs/a.c:1{pid}!", "invalid opcode: 0000 [#1] SMP", *X86), "foo"),
    (
        "BUG: kernel NULL pointer dereference in foo",
        ("BUG: kernel NULL pointer dereference, address: 000000000000{pid}", "Oops: 0002 [#1] SMP", *X86),
        "foo",
    ),
    (
        "BUG: unable to handle page fault in foo",
        ("BUG: unable to handle page fault for address: ffffc9000000{pid}", *X86),
        "foo",
    ),
    (
        "general protection fault in foo",
        (
            "Oops: general protection fault, probably for non-canonical address 0xdffffc00000000{cpu}4: 0000 [#1] SMP",
            *X86,
        ),
        "foo",
    ),
    ("Oops: int3 in foo", ("Oops: int3: 0000 [#{cpu}] SMP", *X86), "foo"),
    (
        "Unable to handle kernel paging request in foo",
        (
            "Unable to handle kernel paging request at virtual address dead00000000{cpu}",
            "Internal error: Oops: 0000000096000004 [#1] SMP",
            "pc : foo+0x1/0x2",
            "lr : bar+0x1/0x2",
        ),
        "",
    ),
    ("Oops in foo", ("Oops [#{cpu}]", "epc : foo+0x1/0x2", " ra : bar+0x1/0x2"), ""),
    (
        "Oops: Kernel access of bad area in foo",
        ("Oops: Kernel access of bad area, sig: 11 [#{cpu}]", "NIP [c00000000{pid}] foo+0x1/0x2"),
        "",
    ),
    (
        "illegal operation in foo",
        ("illegal operation: 0001 ilc:1 [#{cpu}] SMP", "Krnl PSW : 0704c00180000000 00000000{pid} (foo+0x1/0x2)"),
        "",
    ),
    (
        "list_del corruption in toy_del",
        (
            "list_del corruption. prev->next should be ffff8880{pid}, but was 0000",
            "RIP: 0010:__list_del_entry_valid+0x1/0x2",
            *CALLER,
        ),
        "toy_del",
    ),
    (
        "refcount_t: underflow; use-after-free in toy_put",
        (
            "refcount_t: underflow; use-after-free.",
            "WARNING: CPU: {cpu} PID: {pid} at lib/refcount.c:28 refcount_warn_saturate+0x1/0x2",
            "RIP: 0010:refcount_warn_saturate+0x1/0x2",
            *CALLER,
        ),
        "toy_put",
    ),
    (
        "sleeping function called from invalid context in toy_lock",
        (
            "BUG: sleeping function called from invalid context at mm/slab.h:4{pid}",
            " dump_stack_lvl+0x1/0x2",
            " __might_resched.cold+0x1/0x2",
            *CALLER,
        ),
        "toy_lock",
    ),
    (
        "BUG: scheduling while atomic in toy_wait",
        (
            "BUG: scheduling while atomic: toy/{pid}/0x0000000{cpu}",
            " __schedule_bug+0x1/0x2",
            " __schedule+0x1/0x2",
            " schedule+0x1/0x2",
            *CALLER,
        ),
        "toy_wait",
    ),
    (
        "INFO: task hung in toy_wait",
        (
            "INFO: task toy:{pid} blocked for more than 12{cpu} seconds.",
            " __schedule+0x1/0x2",
            " schedule+0x1/0x2",
            " schedule_timeout+0x1/0x2",
            *CALLER,
        ),
        "toy_wait",
    ),
    (
        "skb_over_panic in toy_put",
        ("skbuff: skb_over_panic: text:ffffffff81{pid} len:{pid}", " skb_panic+0x1/0x2", *CALLER),
        "toy_put",
    ),
    ("PANIC: double fault in foo", ("PANIC: double fault, error_code: 0x{cpu}", *X86), "foo"),
    ("INFO: rcu_preempt stall", ("rcu: INFO: rcu_preempt self-detected stall on CPU",), ""),
    ("INFO: rcu_preempt stall", ("rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",), ""),
    ("BUG: soft lockup in foo", ("watchdog: BUG: soft lockup - CPU#{cpu} stuck for 2{cpu}s! [toy:{pid}]", *X86), "foo"),
    (
        "memory leak in toy_new",
        (
            "unreferenced object 0xffff88800{pid} (size 128):",
            "  comm toy, pid {pid}",
            "    [<00000000{pid}>] kmemleak_alloc+0x1/0x2",
            "    [<00000000{pid}>] kmalloc_trace+0x1/0x2",
            "    [<00000000{pid}>] toy_new+0x1/0x2",
        ),
        "",
    ),
    (
        "Kernel stack is corrupted in foo",
        ("Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: foo+0x{cpu}1/0x2",),
        "",
    ),
    (
        "unregister_netdevice: waiting for DEV to become free. Usage count = NUM",
        ("unregister_netdevice: waiting for veth{cpu} to become free. Usage count = {pid}",),
        "",
    ),
    (
        "EXT4-fs error (device DEV): ext4_lookup:NUM: inode #NUM: comm TASK: iget",
        ("EXT4-fs error (device vd{letter}): ext4_lookup:1: inode #{pid}: comm toy{cpu}: iget",),
        "",
    ),
    ("BUG: Bad page state in process TASK  pfn:NUM", ("BUG: Bad page state in process toy{cpu}  pfn:12a{cpu}",), ""),
)


@pytest.mark.parametrize(("name", "lines", "function"), CASES)
def test_the_same_trouble_has_the_same_name_in_two_boots(name: str, lines: tuple[str, ...], function: str) -> None:
    for cpu, pid, letter, time in ((1, 1234, "b", 12), (0, 98765, "c", 4321)):
        console = [
            f"[{time}.{number:06}] " + line.format(cpu=cpu, pid=pid, letter=letter, function=function)
            for number, line in enumerate(lines)
        ]
        found = find_oops(console)
        assert found
        assert found.signature == name


def test_other_functions_have_other_names() -> None:
    names = [
        find_oops([f"WARNING: CPU: 0 PID: 1 at a.c:1 {function}+0x1/0x2"]).signature for function in ("foo", "bar")
    ]
    assert names == ["WARNING in foo", "WARNING in bar"]


@given(st.integers(0, 2**32), st.integers(0, 99), st.sampled_from(["vdb", "sda1", "loop7", "dm-3", "nvme0n1p2"]))
def test_numbers_and_devices_do_not_matter(number: int, cpu: int, device: str) -> None:
    def title(number: int, cpu: int, device: str) -> str:
        return f"BTRFS: error (device {device}: state A) in f:{number}: errno=-{cpu} IO failure at 0x{number:x}"

    assert normal(title(number, cpu, device)) == normal(title(7, 3, "vda"))


@given(st.text(max_size=120), st.text(max_size=400))
def test_any_text_has_a_name(title: str, text: str) -> None:
    assert isinstance(signature(title, text), str)
    assert normal(normal(title)) == normal(title) or title
