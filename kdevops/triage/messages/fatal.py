"""Fatal messages: panics, oopses and the messages just before them."""

from __future__ import annotations

from functools import partial

from kdevops.triage.messages.pattern import Pattern, Severity

_fatal = partial(Pattern, severity=Severity.FATAL)

_NUMBER = r"\[#\d{1,5}\](?:$|(?: [A-Z][A-Za-z0-9_]*)+ ?$| *$)"
"""The number of an oops, followed by nothing or by kernel options (PREEMPT SMP KASAN)."""

FATAL = (
    _fatal("panic", regex=r"Kernel panic - not syncing: ", source="kernel/panic.c"),
    _fatal("panic", regex=r"Kernel panic: ", source="kernel/panic.c, before 2.6", loose=True),
    # The last line of a panic, for consoles where a program garbled the first line.
    _fatal("panic", regex=r"---\[ end Kernel panic - not syncing: ", source="kernel/panic.c", alone=True),
    _fatal(
        "panic",
        regex=r"VFS: (?:Cannot open root device |Unable to mount root fs )",
        source="init/do_mounts.c",
        preface=True,
    ),
    _fatal("list corruption", regex=r"kernel BUG at lib/list_debug\.c", source="lib/list_debug.c", preface=True),
    _fatal("usercopy", regex=r"kernel BUG at mm/usercopy\.c", source="mm/usercopy.c", preface=True),
    # With file and line, or only the address (without DEBUG_BUGVERBOSE).
    _fatal("bug", regex=r"[kK]ernel BUG at \S", source="lib/bug.c", preface=True),
    _fatal("bug", regex=r"(?:Kernel BUG \[#\d|Kernel bug detected\[#\d)", source="arch/{riscv,mips,loongarch}/kernel"),
    # x86 before 5.2, x86, powerpc (with capitals), then arm64 and most others; mips and loongarch name the processor first.
    _fatal(
        "oops",
        regex=r"BUG: (?:[uU]nable to handle |[kK]ernel NULL pointer dereference)",
        source="arch/{x86,powerpc}/mm/fault.c",
        preface=True,
    ),
    _fatal(
        "oops", regex=r"(?:CPU \d+ )?Unable to handle kernel ", source="arch/*/mm/fault.c, kernel/traps.c", preface=True
    ),
    _fatal(
        "oops",
        regex=r"BUG: (?:.{1,40} )?stack guard page was hit",
        source="arch/x86/kernel/traps.c",
        preface=True,
    ),
    _fatal(
        "oops", regex=r"Insufficient stack space to handle exception!", source="arch/arm64/kernel/traps.c", preface=True
    ),
    _fatal(
        "oops",
        regex=r"(?:traps: )?PANIC: (?:double fault|early exception )",
        source="arch/x86/kernel/traps.c",
        preface=True,
    ),
    _fatal("oops", regex=r"Internal error: (?:Oops\b|.{0,200}\[#\d)", source="arch/{arm,arm64}/kernel/traps.c"),
    _fatal(
        "oops",
        regex=r"general protection fault(?:: [\da-f]{4}\b|, (?:probably|maybe) | for non-canonical address)",
        source="arch/x86/kernel/traps.c",
        preface=True,
    ),
    _fatal("oops", regex=r"SError Interrupt on CPU\d", source="arch/arm64/kernel/traps.c", preface=True),
    _fatal("oops", regex=r"Bad mode in .{1,60} handler detected", source="arch/arm64/kernel/traps.c", preface=True),
    _fatal(
        "oops", regex=r"Unhandled .{1,40} exception on CPU\d", source="arch/arm64/kernel/entry-common.c", preface=True
    ),
    _fatal(
        "oops", regex=r"Unrecoverable [\w/ ]{0,40}[Ee]xception ", source="arch/powerpc/kernel/traps.c", preface=True
    ),
    # Also printed for user programs; a kernel fault is followed by "Internal error".
    Pattern(
        "oops",
        Severity.VIOLATION,
        r"Unhandled (?:fault|prefetch abort): .{1,80} \(0x[\da-f]+\)|Alignment trap: not handling instruction ",
        source="arch/arm/mm/{fault,alignment}.c",
        preface=True,
    ),
    _fatal("oops", regex=r"Unexpected kernel \S{1,20} exception at EL1", source="arch/arm64/kernel", preface=True),
    _fatal("oops", regex=r"(?:Data|Instruction) bus error, epc == ", source="arch/mips/kernel/traps.c", preface=True),
    _fatal("oops", regex=r"Machine check in kernel mode\.", source="arch/powerpc/kernel/traps.c", preface=True),
    _fatal("oops", regex=r"Bad kernel stack pointer [\da-f]", source="arch/powerpc/kernel/traps.c", preface=True),
    Pattern(
        "oops",
        Severity.VIOLATION,
        r"[kK]ernel (?:tried to execute|attempted to \w{1,10}) .{1,60} - exploit attempt\?",
        source="arch/{x86,powerpc}/mm/fault.c",
        preface=True,
    ),
    _fatal("oops", regex=r"Kernel Fault: Code=\d", source="arch/parisc/kernel/traps.c"),
    _fatal("oops", regex=r"Fixing recursive fault but reboot is needed!", source="kernel/exit.c"),
    _fatal("bug", regex=r"(?:skbuff: )?skb_(?:over|under)_panic: ", source="net/core/skbuff.c", preface=True),
    _fatal("bug", regex=r"rust_kernel: panicked at ", source="rust/kernel/lib.rs", preface=True),
    # Messages of an architecture's die(). With a code: "Oops: 0002 [#1]", "illegal operation: 0001 ilc:1 [#1]";
    _fatal(
        "oops",
        regex=r"(?:Oops|int3|invalid|divide|double|general|segment|stack|alignment|simd)\b[^\[\]]{0,120}: [\da-f]{4,16} \[#\d",
        source="arch/x86/kernel/dumpstack.c",
    ),
    _fatal(
        "oops",
        regex=r"[A-Za-z][^\[\]]{1,120}: [\da-f]{4,16} (?:ilc:\d )?" + _NUMBER,
        source="arch/{s390,sh}/kernel",
        needle="[#",
        loose=True,
    ),
    # with a signal: "Oops: Exception in kernel mode, sig: 5 [#1]"; with only the number: "Oops - illegal instruction [#1]";
    _fatal(
        "oops",
        regex=r"[A-Za-z][^\[\]]{1,120}[,:] sig: \d{1,3} " + _NUMBER,
        source="arch/{powerpc,xtensa}/kernel/traps.c",
        needle="[#",
    ),
    _fatal("oops", regex=r"Oops[^\[\]]{0,80} " + _NUMBER, source="arch/{riscv,csky}/kernel/traps.c"),
    # without a blank before the number, and with a colon: "Kernel ale access[#1]:"; with the task: "sh(12): Oops [#1]".
    _fatal(
        "oops",
        regex=r"[A-Za-z][^\[\]]{1,100}\S\[#\d{1,5}\]:$",
        source="arch/{mips,loongarch,hexagon}/kernel/traps.c",
        needle="[#",
        loose=True,
    ),
    _fatal(
        "oops",
        regex=r"\S{1,16}\(\d+\): [^\[\]]{1,100} \[#\d{1,5}\]$",
        source="arch/sparc/kernel/traps_64.c",
        needle="[#",
        loose=True,
    ),
)
