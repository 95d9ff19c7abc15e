"""Read the report of `check -R xunit` for a section, `result.xml`, and xfstests-bld's version of it, `results.xml`.

It is a `<testsuite>` with `<properties>` and a `<testcase name="generic/001" time="5">` for each test, empty for a
pass, else with `<skipped message=…>` or `<failure message=…>` (fstests: common/report, doc/xunit.xsd). It may contain
all output of a test, which is ignored. xfstests-bld merges the reports of one configuration and adds `<error
message=…>` for a test that took the machine down (test-appliance: add_error_xunit, merge_xunit), and puts several in
`<testsuites>`.

`check` does not escape the message of a failure, and a guest may have died while writing: then `xunit_damaged` reads
what is certain, and the damage is reported. Expat parses it; a document type, which may define entities, is refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.parsers import expat

from kdevops.suites.fstests.check_lines import MAX_REASON
from kdevops.suites.fstests.xunit_cases import Report, Suite
from kdevops.suites.fstests.xunit_damaged import recover
from kdevops.suites.fstests.xunit_elements import Elements, RefusedError
from kdevops.suites.fstests.xunit_totals import difference
from kdevops.text import clean

MAX_SIZE = 64 << 20
"""Maximum bytes read of a report."""
_FOREIGN = re.compile(rb"encoding\s*=\s*[\"'](?!utf-8|us-ascii|ascii|iso-8859-|latin|windows-125)", re.IGNORECASE)
"""An encoding whose tags may differ from ASCII bytes: nothing is recovered from such a file."""


def read_report(path: Path) -> Report | None:
    """The report in this file; None if there is no such file. Raises OSError if it cannot be read."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        data = file.read(MAX_SIZE + 1)
    elements = Elements()
    try:
        if len(data) > MAX_SIZE:
            return Report(_recovered(data[:MAX_SIZE]), f"is too long: only the first {MAX_SIZE >> 20} MiB were read")
        elements.read(data)
    except RefusedError as error:
        return Report((), f"is refused: {error}")
    except (expat.ExpatError, ValueError, LookupError) as error:
        return Report(_recovered(data), f"cannot be read completely: {clean(str(error), MAX_REASON)}")
    differences = (difference(suite).words for suite in elements.outer())
    return Report(elements.suites(), elements.odd or next(filter(None, differences), ""))


def _recovered(data: bytes) -> tuple[Suite, ...]:
    return () if _FOREIGN.search(data[:200]) else recover(data.decode(errors="replace"))
