"""Check whether a guest is still fit after a test: a shell script, and the meaning of its answers.

The script is part of the one that runs the test (`execute`), so that it works even if the test removed /proc or the
shell. Each output line begins with a nonce that the test cannot know.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from kdevops.guest import taint

BEFORE = "mounts=$(cat /proc/self/mounts 2>/dev/null)\n"
"""Shell code run before the test: record the mounts."""

# Mostly builtins: a process costs about 20 ms in an emulated guest. Room for 1 MiB is considered enough.
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
"""Shell code run after the test, with $nonce set: check the guest."""

MAX_LINES = 2000
"""Limit of answers; a guest with more mounts is unfit."""
# These only show kernel state: many tests mount them, and it does not affect the next test.
_VIEWS = frozenset(
    [
        *("autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "efivarfs", "fusectl"),
        *("hugetlbfs", "mqueue", "pstore", "resctrl", "securityfs", "selinuxfs", "tracefs"),
    ]
)


@dataclass
class Fitness:
    """Collects the script's answers and judges the guest."""

    _taint: str = ""
    _complaints: list[str] = field(default_factory=list)
    _mounts: list[str] = field(default_factory=list)
    _count: int = 0
    finished: bool = False

    def feed(self, answer: str) -> None:
        """Take one answer, without its nonce."""
        word, _, rest = answer.partition(" ")
        self._count += 1
        if self._count > MAX_LINES and word != "done":
            return
        if word == "taint":
            self._taint = rest.strip()
        elif word == "gone":
            self._complaints.append(f"{rest} is gone")
        elif word == "full":
            self._complaints.append(f"cannot write to {rest}")
        elif word == "mount":
            self._mounts.append(rest)
        elif word == "done":
            self.finished = True

    @property
    def taint(self) -> int | None:
        """/proc/sys/kernel/tainted, None if it could not be read."""
        return taint.parse(self._taint)

    @property
    def unfit(self) -> str:
        """Why the guest must be reset before the next test, in one line; empty if it is fit."""
        if not self.finished:
            return "it did not answer after the test"
        if self._count > MAX_LINES:
            return f"it has more than {MAX_LINES // 2} mounts"
        complaints = list(self._complaints)
        if self.taint is None and not complaints:
            complaints.append("/proc/sys/kernel/tainted cannot be read")
        return "; ".join([*complaints, *_changes(self._mounts)])


def _changes(lines: list[str]) -> list[str]:
    """Differences between two lists of mounts separated by an empty line."""
    if "" not in lines:
        return []
    cut = lines.index("")
    before, after = (Counter(filter(_matters, part)) for part in (lines[:cut], lines[cut + 1 :]))
    came, went = ({_place(line) for line in one - other} for one, other in ((after, before), (before, after)))
    changed = came & went
    words = (("is left mounted", came - changed), ("is unmounted", went - changed), ("is mounted differently", changed))
    return [f"{place} {what}" for what, places in words for place in sorted(places)]


def _matters(line: str) -> bool:
    """Whether a line of /proc/self/mounts (device, directory, type, options) is not just a view of kernel state."""
    fields = line.split(" ")
    return len(fields) >= 4 and fields[2] not in _VIEWS


def _place(line: str) -> str:
    return line.split(" ")[1]
