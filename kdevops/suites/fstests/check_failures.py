"""What `check` prints about why a test failed, as subtests: then a test that fails otherwise is another failure.

output:1a2b3c4d                          the output differs, with this fingerprint (see `output_diff`)
output mismatch, no qualified output     it differs, but no line of the difference was printed
_check_xfs_filesystem: filesystem on PATH is inconsistent (r)
failed, exit status 1; dumped core       without a difference in the output, which says more
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kdevops.results.model import Status, Subtest
from kdevops.suites.fstests import check_lines as lines
from kdevops.suites.fstests.output_diff import SHOWN, OutputDiff, without_what_varies

MAX_FAILURES = 100
_MISMATCH = "output mismatch"
_EXIT = "failed, exit status "


def failures_with(reason: str, difference: str) -> tuple[Subtest, ...]:
    """The failures of a test with this difference in its output, as if `check` had printed them; `reason`: the last one."""
    found = Failures()
    for line in (_MISMATCH, *difference.split("\n")[:SHOWN], "...", *([] if _MISMATCH in reason else [reason])):
        found.read(line)
    return found.subtests(over=True)


@dataclass(slots=True)
class Failures:
    """Reads the lines of a test. `first` is the first failure in a few words, "" if there was none."""

    first: str = ""
    _said: dict[str, None] = field(default_factory=dict)
    _diff: OutputDiff | None = None

    def read(self, text: str) -> None:
        """Process one line, or the rest of the first one after the name."""
        found = lines.failures(text)
        self.first = self.first or next(iter(found), "")
        if self._diff and not self._diff.ended:
            self._diff.read(text)
            found = [each for each in found if text.startswith(each)]  # a check's own line, not one that differs
        if len(self._said) < MAX_FAILURES:
            self._said |= dict.fromkeys(found)
        if _MISMATCH in found and not self._diff:
            self._diff = OutputDiff()

    def subtests(self, *, over: bool) -> tuple[Subtest, ...]:
        """A failed subtest for each failure; none if a difference was not printed completely: `over` says that it was."""
        if self._diff and not (over or self._diff.ended):
            return ()
        names = {without_what_varies(each) if ":" in each else each: "" for each in self._said}
        if self._diff:
            names = {name: why for name, why in names.items() if not name.startswith(_EXIT)}
            if fingerprint := self._diff.fingerprint:
                del names[_MISMATCH]
                names[f"output:{fingerprint}"] = self._diff.first
        return tuple(Subtest(name, Status.FAIL, why) for name, why in names.items())
