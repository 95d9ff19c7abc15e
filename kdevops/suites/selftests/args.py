"""Arguments for single kselftests, by the variable names of kselftest's own runner.

`kselftest/runner.sh` of a kernel tree reads them from the environment: KSELFTEST_RTCTEST_ARGS for the test rtctest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kdevops.errors import UserError
from kdevops.suites.selftests.catalogue import InstalledTest
from kdevops.text import nearest


def with_arguments(tests: Sequence[InstalledTest], args: Mapping[str, str]) -> tuple[InstalledTest, ...]:
    """Add arguments to the tests. `args` is keyed by test name, or by the name in the runner's variable.

    Arguments are split at blanks, without quoting, as in runner.sh. Raises UserError for a name that matches no test.
    """
    known = {sanitized(test.name) for test in tests}
    words = {sanitized(name): text.split() for name, text in args.items()}
    for name in args:
        if sanitized(name) not in known:
            names = sorted({test.name for test in tests})
            raise UserError(f"suites.selftests.args: there is no test {name!r}{nearest(name, names)}")
    return tuple(replace(test, argv=(*test.argv, *words.get(sanitized(test.name), ()))) for test in tests)


def sanitized(name: str) -> str:
    """A test's name between KSELFTEST_ and _ARGS: cpu-on-off-test.sh gives CPU_ON_OFF_TEST_SH."""
    return re.sub(r"[^A-Za-z0-9_]", "_", re.sub(r"[\s\x00-\x1f\x7f]", "", name)).upper()
