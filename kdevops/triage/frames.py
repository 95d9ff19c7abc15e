"""Functions in a report: the program counter and the call trace, without reporting helpers."""

from __future__ import annotations

import re
from collections.abc import Iterator

_NAME = r"(?P<name>[A-Za-z_$][\w.$]{0,120})"
_ENTRY = rf"{_NAME}\+0x[\da-f]+/0x[\da-f]+"

# The program counter: x86; arm, arm64, riscv, mips, loongarch; powerpc; s390.
_COUNTER = re.compile(
    rf"\s*(?:RIP: [\da-f]{{4}}:|(?:PC is at|pc|epc)\s*:?\s+(?:[\da-f]{{8,16}} )?|NIP (?:\[[\da-f]+\] )?|Krnl PSW : .{{0,60}}\()"
    rf"(?:\[<[\da-f]+>\]\s*(?:\[<[\da-f]+>\]\s*)?)?{_ENTRY}"
)
# An entry of a call trace; those with a question mark are guesses and do not match. On arm the name is in parentheses.
_TRACED = re.compile(
    rf"\s*(?:\(?\[<?[\da-f]+>?\]\)?\s*){{0,2}}(?:{_ENTRY}(?!.*\(unreliable\))"
    rf"|\({_NAME.replace('name', 'arm')}(?:\+0x[^)]*)?\) from )"
)
_SUFFIX = re.compile(r"\.(?:cold|isra|part|constprop|llvm|lto_priv)\b.*")

# Functions that report, check, copy, allocate, lock or wait on behalf of the function of interest.
_HELPER = re.compile(
    r"_*(?:dump_stack|dump_backtrace|spin_dump|create_object|wait_on_page|trace_kernel|fixup_|x86_indirect|sanitizer|assertfail|register_lock|check_preemption|this_cpu_preempt|list_|hlist_|rb_erase"
    r"|show_stack|show_trace|print_|report_|handle_bug|exc_|asm_exc|do_error_trap|do_trap|do_invalid_op"
    r"|invalid_op|warn_|warn$|panic|nmi_|bug_handler|brk_|call_break_hook|el1h?_|do_debug_exception|do_mem_abort"
    r"|kasan|asan_|hwasan|kmsan|msan|kcsan|tsan|kfence|ubsan|check_memory_region|check_region_inline"
    r"|refcount_|debug_object|debug_check|debug_print|fortify|usercopy|check_heap_object|check_object_size|list_\w+_valid"
    r"|lockdep|switch_to|flush_work|rcu_gp|synchronize_rcu|pcpu_|lock_acquire|lock_release|lock_is_held|check_\w*(?:lock|circular|prev|dead)|mark_lock|mark_usage|validate_chain"
    r"|might_|cant_sleep|schedule|preempt_schedule|io_schedule|context_switch|rcu_note|rcu_dereference|wait_for_|bit_wait"
    r"|wait_on_bit|out_of_line_wait|prepare_to_wait|mutex_|raw_spin|spin_lock|queued_|native_queued|do_raw_|pv_queued"
    r"|rwsem_|down_|up_|rt_mutex|percpu_|local_bh|irqentry|sysvec|apic_timer|kmemleak|slab_|kmalloc|kmem_cache|kzalloc|vmalloc"
    r"|krealloc|kvmalloc|kstrdup|kmemdup|kfree|vfree|mem(?:cpy|move|set|cmp)|str(?:len|nlen|cpy|ncpy|lcpy|cmp|scpy|cat)"
    r"|atomic|arch_atomic|instrument_|kthread_stop|copy_(?:to|from)_user|smp_call_function|csd_lock|trace_hardirqs|arch_local"
    r"|skb_(?:panic|over_panic|under_panic|put|push)$|native_(?:halt|safe_halt|save_fl|restore_fl)|default_idle|preempt_count|watchdog|hrtimer_interrupt|stack_trace_|unwind_)"
)


def clean(name: str) -> str:
    """A function's name without suffixes added by the compiler."""
    return _SUFFIX.sub("", name)


def counter(lines: list[str]) -> str:
    """The function at the program counter; "" if unknown or a helper."""
    for line in lines:
        if match := _COUNTER.match(line):
            return unless_helper(match["name"])
    return ""


def traced(lines: list[str]) -> str:
    """The first function of the call trace that is not a helper; "" if none."""
    return next(filter(None, _trace(lines)), "")


def _trace(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if match := _TRACED.match(line):
            yield unless_helper(match["name"] or match["arm"])


def unless_helper(name: str) -> str:
    """A function's name, "" for a helper that only reports, checks or waits."""
    return "" if _HELPER.match(name) else clean(name)
