"""Whether a test left its guest fit for the next one: a script that looks, and what its answers mean.

The script is part of the one that runs the test (`execute`), so that it still works when the test removed /proc or the
shell. Each of its lines begins with a nonce that the test cannot know.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from kdevops.guest import taint

BEFORE = "mounts=$(cat /proc/self/mounts 2>/dev/null)\n"
"""Shell: remember what is mounted; before the test."""

# Mostly builtins: a process costs some 20 ms in an emulated guest. 1 MiB that can be written is taken for room enough.
AFTER = r"""
now=$(cat /proc/self/mounts 2>/dev/null)
printf '%s taint %s\n' "$nonce" "$(cat /proc/sys/kernel/tainted 2>/dev/null)"
[ -n "$now" ] || printf '%s gone /proc\n' "$nonce"
[ -c /dev/null ] || printf '%s gone /dev/null\n' "$nonce"
[ -x /bin/sh ] || printf '%s gone /bin/sh\n' "$nonce"
[ -z "$now" ] || [ "$now" = "$mounts" ] ||
    printf '%s\n' "$mounts" "" "$now" | while IFS= read -r line; do printf '%s mount %s\n' "$nonce" "$line"; done
block=0123456789abcdef
for _ in 1 2 3 4 5 6; do block=$block$block$block$block; done
for directory in /var/tmp /tmp; do
    [ -d "$directory" ] || { printf '%s gone %s\n' "$nonce" "$directory"; continue; }
    file=$directory/.kdevops-room-$$
    (for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do printf %s "$block" || exit; done >"$file") 2>/dev/null ||
        printf '%s full %s\n' "$nonce" "$directory"
done
rm -f "/var/tmp/.kdevops-room-$$" "/tmp/.kdevops-room-$$" 2>/dev/null
printf '%s done\n' "$nonce"
"""
"""Shell: look at the guest; after the test, with $nonce set."""

MAX_LINES = 2000
"""Answers that are read; a guest with more mounts is unfit for that alone."""
# Mounting one of these shows what the kernel has anyway: many tests do it, and the next test finds nothing changed.
_VIEWS = frozenset(
    [
        *("autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "efivarfs", "fusectl"),
        *("hugetlbfs", "mqueue", "pstore", "resctrl", "securityfs", "selinuxfs", "tracefs"),
    ]
)


@dataclass
class Fitness:
    """The script's answers, fed one by one, and what they say together."""

    _taint: str = ""
    _complaints: list[str] = field(default_factory=list)
    _mounts: list[str] = field(default_factory=list)
    _count: int = 0
    finished: bool = False

    def feed(self, answer: str) -> None:
        """Take an answer, without the nonce before it."""
        word, _, rest = answer.partition(" ")
        self._count += 1
        if self._count > MAX_LINES and word != "done":
            return
        if word == "taint":
            self._taint = rest.strip()
        elif word == "gone":
            self._complaints.append(f"{rest} is gone")
        elif word == "full":
            self._complaints.append(f"nothing can be written to {rest}")
        elif word == "mount":
            self._mounts.append(rest)
        elif word == "done":
            self.finished = True

    @property
    def taint(self) -> int | None:
        """/proc/sys/kernel/tainted, None where it could not be read."""
        return taint.parse(self._taint)

    @property
    def unfit(self) -> str:
        """Why the guest should be reset before the next test, in a line; empty when nothing speaks against it."""
        if not self.finished:
            return "it did not answer after the test"
        if self._count > MAX_LINES:
            return f"it has more than {MAX_LINES // 2} mounts"
        complaints = list(self._complaints)
        if self.taint is None and not complaints:
            complaints.append("/proc/sys/kernel/tainted cannot be read")
        return "; ".join([*complaints, *_changes(self._mounts)])


def _changes(lines: list[str]) -> list[str]:
    """What differs between two lists of mounts that an empty line parts."""
    if "" not in lines:
        return []
    cut = lines.index("")
    before, after = (Counter(filter(_matters, part)) for part in (lines[:cut], lines[cut + 1 :]))
    came, went = ({_place(line) for line in one - other} for one, other in ((after, before), (before, after)))
    changed = came & went
    words = (("is left mounted", came - changed), ("is unmounted", went - changed), ("is mounted otherwise", changed))
    return [f"{place} {what}" for what, places in words for place in sorted(places)]


def _matters(line: str) -> bool:
    """Whether a line of /proc/self/mounts (device, directory, type, options) is of a file system that holds something."""
    fields = line.split(" ")
    return len(fields) >= 4 and fields[2] not in _VIEWS


def _place(line: str) -> str:
    return line.split(" ")[1]
