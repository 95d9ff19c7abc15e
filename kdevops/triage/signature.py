"""A name for a kernel report that is stable across boots and runs."""

from __future__ import annotations

import re
from collections.abc import Callable

from kdevops.triage import frames

_IN = r"(?P<function>[A-Za-z_$<][^\s+]{0,120})\+0x[\da-f]+"
_ACCESS = re.compile(r"(Read|Write|Free) (?:of size|at addr)")
_LOCK_AT = re.compile(r".*\bat: (?:\[<[\da-f]+>\] )?(?P<function>[A-Za-z_$][\w.$]{0,120})\+0x")
_DEVICE = r"(?:[svh]d[a-z]{1,3}|xvd[a-z]|loop|dm-|nvme\d{1,4}n|mmcblk|md|ram|zram|nbd|sr|pmem|ubda?|fd)"

# Parts that change from run to run, and their replacements.
_NORMAL = tuple(
    (re.compile(regex), put)
    for regex, put in (
        (r"\bcomm \S+?(?=:? |:?$)", "comm TASK"),
        (r"\b(task|process|by|Comm:?) \S+?[:/]\d+\b", r"\1 TASK"),
        (r"\bkworker/\S+", "TASK"),
        (r"\bpfn:[\da-f]+", "pfn:NUM"),
        (r"\[[^\[\]]{1,20}:\d+\]", "[TASK]"),
        (r"\bprocess \S+", "process TASK"),
        (rf"\b{_DEVICE}\d*(?:p\d+)?(?:-\d+)?\b", "DEV"),
        (r"\b(waiting for|of) \S+ (to become|\()", r"\1 DEV \2"),
        (r"\b(ref_tracker:) \S+?@", r"\1 DEV@"),
        (r"0x[\da-fA-F]+|\b(?=[a-f]*\d)[\da-f]{8,16}\b", "NUM"),
        # But not digits in a name: ext4, int3.
        (r"(?<![A-Za-z_\d])\d+(?=\b|k?[sB]\b|ms\b)", "NUM"),
    )
)


def _told(match: re.Match[str], lines: list[str]) -> str:
    return frames.unless_helper(match["function"]) or frames.traced(lines) or frames.clean(match["function"])


def _counted(_: re.Match[str], lines: list[str]) -> str:
    return frames.counter(lines) or frames.traced(lines)


def _traced(_: re.Match[str], lines: list[str]) -> str:
    return frames.traced(lines)


def _locked(_: re.Match[str], lines: list[str]) -> str:
    found = next((match for line in lines if (match := _LOCK_AT.match(line))), None)
    return frames.clean(found["function"]) if found else frames.traced(lines)


def _races(match: re.Match[str], _: list[str]) -> str:
    """Sort the two functions of a race, because their order varies."""
    names = (name.partition("+")[0].strip() for name in match["functions"].split(" / "))
    return " / ".join(sorted(map(frames.clean, names)))


def _nowhere(_: re.Match[str], __: list[str]) -> str:
    return ""


# Rules of locking.
_BROKEN = (
    "inconsistent lock state|bad unlock balance|bad contention|held lock freed|lock held when returning to user space"
    "|still has locks held|Invalid wait context|[Nn]ested lock was not taken"
)
# A task that may not sleep, or a corrupted lock.
_STATES = r"scheduling while atomic|using \S+ in preemptible|spinlock \w+(?: \w+)?|rwlock \w+(?: \w+)?"

_FATAL_WORDS = (
    "(?:traps: )?PANIC: double fault|Insufficient stack space to handle exception|SError Interrupt"
    r"|Unhandled (?:fault|prefetch abort): [^(\n]{1,60}(?= \()"
)

# Title pattern, name (with groups of the pattern), and how to find the function.
_RULES: tuple[tuple[re.Pattern[str], str, Callable[[re.Match[str], list[str]], str]], ...] = tuple(
    (re.compile(title), words, where)
    for title, words, where in (
        (rf"BUG: KASAN: (?P<class>.{{1,60}}?) in {_IN}", r"KASAN: \g<class>{access}", _told),
        (r"BUG: KCSAN: (?P<class>.{1,60}?) in (?P<functions>.+)", r"KCSAN: \g<class>", _races),
        (rf"BUG: (?P<checker>KFENCE|KMSAN): (?P<class>.{{1,60}}?) in {_IN}", r"\g<checker>: \g<class>", _told),
        (r"UBSAN: (?P<class>.{1,60}?) in (?P<file>[^\s:]+)", r"UBSAN: \g<class>", _traced),
        (rf"WARNING: .{{0,300}}?\bat (?:\S+:\d+ )?{_IN}", "WARNING", _told),
        (r"WARNING: .{0,200}?(?P<file>[^\s:\]]+):\d+(?: at |$)", r"WARNING", _counted),
        (
            r"(?:WARNING: |\[ (?:BUG|INFO): )(?:possible (?:circular|recursive|irq lock|deadlock)|\S+-safe -> )",
            "possible deadlock",
            _locked,
        ),
        (rf"(?:WARNING: |BUG: |\[ (?:BUG|INFO): )(?:\S{{1,40}} )?(?P<rule>{_BROKEN})", r"\g<rule>", _locked),
        (r"(?:WARNING: |\[ INFO: )suspicious RCU usage", "suspicious RCU usage", _traced),
        (r"INFO: trying to register non-static key", "trying to register non-static key", _traced),
        (r"kernel BUG at ", "kernel BUG", _counted),
        (
            r"(?P<words>BUG: .{0,20}?[uU]nable to handle (?:page fault|kernel [\w ]{1,60}?))(?= (?:for address|at|on)\b|$)",
            r"\g<words>",
            _counted,
        ),
        (r"(?P<words>BUG: [kK]ernel NULL pointer dereference)", r"\g<words>", _counted),
        (
            r"(?:CPU \d+ )?(?P<words>Unable to handle kernel .{1,60}?)(?: at virtual address|, epc| in virtual|$)",
            r"\g<words>",
            _counted,
        ),
        (r"(?:Oops: )?(?P<words>(?:segment-related )?general protection fault)", r"\g<words>", _counted),
        (r"BUG: (?:\S+ )?stack guard page was hit", "stack guard page was hit", _counted),
        (r"Internal error: (?P<words>[^:\[]{1,60}).{0,80}\[#\d", r"Internal error: \g<words>", _counted),
        (
            r"(?P<words>[A-Za-z][^\[]{1,80}?)(?:[,:] sig: \d+)?(?::? [\da-f]{4,16})?(?: ilc:\d)? ?\[#\d",
            r"\g<words>",
            _counted,
        ),
        (r"(?P<words>list_(?:add|del) (?:corruption|double add))", r"\g<words>", _counted),
        (r"(?P<words>refcount_t: .{1,60}?)\.?$", r"\g<words>", _counted),
        (r"(?P<words>ODEBUG: \w+ \w+) .{0,80}object type: (?P<type>\w+)", r"\g<words> \g<type>", _counted),
        (r"BUG: (?P<words>sleeping function called from invalid context)", r"\g<words>", _traced),
        (rf"BUG: (?P<words>{_STATES})(?: on |:| \[)", r"BUG: \g<words>", _traced),
        (
            rf"Kernel panic - not syncing: (?:stack-protector: )?(?P<words>[Kk]ernel stack is corrupted) in: {_IN}",
            r"\g<words>",
            _told,
        ),
        (r"(?:skbuff: )?(?P<words>skb_(?:over|under)_panic)", r"\g<words>", _traced),
        (rf"(?P<words>{_FATAL_WORDS})", r"\g<words>", _counted),
        (r"DEBUG_LOCKS_WARN_ON\(", "DEBUG_LOCKS_WARN_ON", _counted),
        (r"usercopy: (?P<words>[kK]ernel memory \w+ attempt detected)", r"usercopy: \g<words>", _traced),
        (r"INFO: task ", "INFO: task hung", _traced),
        (r".{0,30}BUG: soft lockup", "BUG: soft lockup", _counted),
        (r".{0,30}hard LOCKUP", "hard LOCKUP", _counted),
        (r"(?:rcu: )?INFO: (?P<flavour>\w+) (?:self-)?detected", r"INFO: \g<flavour> stall", _nowhere),
        (r"(?:BUG: memory leak|unreferenced object )", "memory leak", _traced),
    )
)


def signature(title: str, text: str) -> str:
    """The name of a report: "WARNING in foo", "KASAN: slab-use-after-free Read in foo", "possible deadlock in bar".

    A report without a function is named by its title, without addresses, numbers, devices and tasks.
    """
    lines = text.split("\n")
    for regex, words, where in _RULES:
        if match := regex.match(title):
            access = next((found[1] for line in lines[:8] if (found := _ACCESS.match(line))), "")
            name = match.expand(words.replace("{access}", f" {access}" if access else ""))
            place = where(match, lines) or _file(match)
            return f"{name} in {place}" if place else normal(name)
    return normal(title)


def _file(match: re.Match[str]) -> str:
    return match.groupdict().get("file") or ""


def normal(title: str) -> str:
    """A title with the parts that change from run to run replaced."""
    for regex, put in _NORMAL:
        title = regex.sub(put, title)
    return title
