"""Messages of sanitizers, lockdep and checks of kernel data structures."""

from __future__ import annotations

from functools import partial

from kdevops.triage.messages.pattern import Pattern, Severity

_violation = partial(Pattern, severity=Severity.VIOLATION)
_warning = partial(Pattern, severity=Severity.WARNING)
# Lockdep disables itself after its first report (debug_locks_off).
_lockdep = partial(Pattern, "lockdep", Severity.WARNING, source="kernel/locking/lockdep.c", disarms=True)

SANITIZERS = (
    _violation("kasan", regex=r"BUG: KASAN: ", source="mm/kasan/report.c"),
    _violation("kasan", regex=r"KASAN: .{1,60} in range \[", source="mm/kasan/report.c", preface=True, continues=True),
    _violation("kfence", regex=r"BUG: KFENCE: ", source="mm/kfence/report.c"),
    # Many races are harmless, and the checker continues.
    _warning("kcsan", regex=r"BUG: KCSAN: ", source="kernel/kcsan/report.c"),
    _violation("kmsan", regex=r"BUG: KMSAN: ", source="mm/kmsan/report.c"),
    _violation(
        "ubsan",
        regex=r"UBSAN: (?:array-index-out-of-bounds|object-size-mismatch|null-ptr-deref|invalid-free) in ",
        source="lib/ubsan.c",
    ),
    _warning("ubsan", regex=r"UBSAN: \S", source="lib/ubsan.c"),
    _violation("cfi", regex=r"CFI failure (?:at|\()", source="kernel/cfi.c", preface=True),
    _violation("cfi", regex=r"(?:traps: )?Missing ENDBR: ", source="arch/x86/kernel/{traps,cet}.c", preface=True),
)

LOCKDEP = (
    _lockdep(
        regex=r"(?:WARNING: |INFO: |\[ (?:BUG|INFO): )"
        r"(?:possible (?:circular|recursive|irq lock inversion|deadlock)|inconsistent lock state|bad unlock balance"
        r"|bad contention|held lock freed|lock held when|[Nn]ested lock was not taken|chain_key|Invalid wait context"
        r"|\S.{0,40} still has locks held|\S.{0,40}-safe -> .{1,40}-unsafe lock order)",
    ),
    _lockdep(
        regex=r"BUG: (?:Invalid wait context|held lock freed|bad unlock balance|MAX_LOCK|MAX_STACK_TRACE_ENTRIES)"
    ),
    _lockdep(regex=r"INFO: trying to register non-static key\b"),
    _lockdep(regex=r"DEBUG_LOCKS_WARN_ON\(", preface=True),
    _warning("lockdep", regex=r"(?:WARNING: |\[ INFO: )suspicious RCU usage", source="kernel/locking/lockdep.c"),
)

STRUCTURES = (
    _violation(
        "list corruption",
        regex=r"list_(?:add|del)\w* (?:corruption|double add)",
        source="lib/list_debug.c",
        preface=True,
    ),
    _violation(
        "usercopy", regex=r"usercopy: [kK]ernel memory (?:exposure|overwrite) ", source="mm/usercopy.c", preface=True
    ),
    # Newer kernels print a function's name first.
    _violation("fortify", regex=r"detected buffer overflow in ", source="lib/string_helpers.c", preface=True),
    _violation(
        "fortify", regex=r"(?:mem|str)\w{1,20}: detected buffer overflow: ", source="lib/string_helpers.c", preface=True
    ),
    _warning(
        "fortify",
        regex=r"(?:mem|str)\w{1,20}: detected field-spanning write ",
        source="include/linux/fortify-string.h",
        preface=True,
    ),
    _violation("refcount", regex=r"refcount_t: (?!selftest)\S", source="lib/refcount.c", preface=True),
    _warning(
        "odebug",
        regex=r"ODEBUG: (?:free|init|activate|deactivate|destroy|assert_init|alloc) ",
        source="lib/debugobjects.c",
        preface=True,
    ),
    # Part of a report whose beginning was lost; 6.1 omits the first word.
    _violation("slab", regex=r"INFO: (?:Freed|Allocated) in \S+ age=\d", source="mm/slub.c", continues=True),
    _violation(
        "slab",
        # KASAN's own report follows this line.
        regex=r"BUG .{1,60} \((?:Not tainted|Tainted: [^)]{1,120})\): (?!kasan: )",
        source="mm/slub.c",
    ),
    _violation("slab", regex=r"Slab corruption \(|slab error in \w{1,40}\(\): ", source="mm/slab.c, up to 6.7"),
    _warning(
        "slab",
        regex=r"kmem_cache_destroy .{1,60}: Slab cache still has objects",
        source="mm/slab_common.c",
        preface=True,
    ),
    _violation("vfs", regex=r"VFS: Busy inodes after unmount of ", source="fs/super.c", alone=True, preface=True),
    _violation("vfs", regex=r"VFS: Close: file count is (?:0|zero)\b", source="fs/open.c", alone=True, preface=True),
    _warning("memory leak", regex=r"BUG: memory leak$", source="tools that read mm/kmemleak.c's file", preface=True),
    _violation(
        "bug",
        regex=r"BUG: (?:sleeping function called from |scheduling (?:while|in) |using \S+ in preemptible |Bad (?:page|rss)"
        r"|(?:spinlock|rwlock) |workqueue leaked |Dentry |non-zero pgtables|key \S+ has not been |assuming )",
        source="kernel/sched/core.c, mm/memory.c, kernel/locking/spinlock_debug.c, kernel/workqueue.c, fs/dcache.c",
    ),
    # All others.
    _violation("bug", regex=r"(?:NEIGH: )?BUG[:,] \S", source="mm, kernel, fs", loose=True),
    _warning("bug", regex=r"BUG at \w{1,60}:\d+", source="lib/test_xarray.c, lib/test_maple_tree.c"),
    _warning("memory leak", regex=r"kmemleak: \d+ new suspected memory leaks", source="mm/kmemleak.c", alone=True),
    _warning("memory leak", regex=r"unreferenced object 0x[\da-f]+ \(size \d+\):", source="mm/kmemleak.c"),
    _warning("ref_tracker", regex=r"ref_tracker: .{1,80} has \d+/\d+ users at", source="lib/ref_tracker.c"),
    _warning(
        "ref_tracker",
        regex=r"(?:ref_tracker: )?(?:reference already released|leaked reference)\.",
        source="lib/ref_tracker.c",
        preface=True,
    ),
    _warning("dma api", regex=r"DMA-API: \S{1,60} \S{1,60}: \S", source="kernel/dma/debug.c", preface=True),
    _violation(
        "page corruption", regex=r"pagealloc: (?:memory corruption|single bit error)", source="mm/page_poison.c"
    ),
    _violation(
        "swap", regex=r"(?:get_swap_device|_?swap_info_get|swap_\w{1,20}): (?:Bad|Unused) swap ", source="mm/swapfile.c"
    ),
    _violation("bug", regex=r"bad: scheduling from the idle thread!", source="kernel/sched/idle.c"),
    _violation("bug", regex=r"Thread overran stack, or stack corrupted", source="kernel/sched/core.c", preface=True),
    _warning(
        "kobject",
        regex=r"kobject:? .{1,160}something is seriously wrong|(?:kobject: )?kobject_add_internal failed for ",
        source="lib/kobject.c",
        preface=True,
    ),
    _warning("msr", regex=r"unchecked MSR access error: ", source="arch/x86/mm/extable.c"),
    _warning("sysfs", regex=r"sysfs: cannot create duplicate filename ", source="fs/sysfs/dir.c"),
    _warning("page pool", regex=r"page_pool_release_retry\(\) stalled", source="net/core/page_pool.c", alone=True),
    _warning("hw csum", regex=r".{1,60}: hw csum failure", source="net/core/dev.c", needle=": hw csum failure"),
    _warning(
        "iommu fault",
        regex=r"DMAR: \[(?:DMA|INTR)|AMD-Vi: Event logged \[IO_PAGE_FAULT",
        source="drivers/iommu/{intel/dmar.c,amd/iommu.c}",
        alone=True,
    ),
    _warning("irq", regex=r"Disabling IRQ #\d", source="kernel/irq/spurious.c", disarms=True, continues=True),
    _warning("irq", regex=r"irq event \d+: bogus return value ", source="kernel/irq/spurious.c"),
    # This disables the interrupt, and with it the device.
    _warning("irq", regex=r"irq \d+: nobody cared\b", source="kernel/irq/spurious.c", disarms=True),
)
