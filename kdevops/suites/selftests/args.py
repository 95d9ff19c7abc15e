"""Arguments of single kselftests, found by the names that kselftest's own runner gives them.

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
    """The tests with their arguments, of which `args` has those of a test by its name, or as a variable would name it.

    Arguments are cut at blanks and quotes mean nothing, as runner.sh has it. Raises UserError for a name that fits no test.
    """
    known = {sanitized(test.name) for test in tests}
    words = {sanitized(name): text.split() for name, text in args.items()}
    for name in args:
        if sanitized(name) not in known:
            names = sorted({test.name for test in tests})
            raise UserError(f"suites.selftests.args: there is no test {name!r}{nearest(name, names)}")
    return tuple(replace(test, argv=(*test.argv, *words.get(sanitized(test.name), ()))) for test in tests)


def sanitized(name: str) -> str:
    """A test's name as it stands between KSELFTEST_ and _ARGS: cpu-on-off-test.sh gives CPU_ON_OFF_TEST_SH."""
    return re.sub(r"[^A-Za-z0-9_]", "_", re.sub(r"[\s\x00-\x1f\x7f]", "", name)).upper()
