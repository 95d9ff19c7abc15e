"""Read the report that `check -R xunit` writes for a section, `result.xml`, and what xfstests-bld makes of it, `results.xml`.

It is `<testsuite>` with `<properties>` and a `<testcase name="generic/001" time="5">` for each test, empty for a pass,
else with `<skipped message=…>` or `<failure message=…>` (fstests: common/report, doc/xunit.xsd). It may hold all that
a test printed, which is passed over. xfstests-bld merges the reports of one configuration and adds `<error message=…>`
for a test that took the machine down (test-appliance: add_error_xunit, merge_xunit), and puts several in `<testsuites>`.

`check` does not escape the message of a failure, and a guest may have died while it was written: then `xunit_damaged`
takes what is certain, and the fault is told. Expat reads it; a document type, which may define entities, is refused.
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
"""Bytes read of a report."""
_FOREIGN = re.compile(rb"encoding\s*=\s*[\"'](?!utf-8|us-ascii|ascii|iso-8859-|latin|windows-125)", re.IGNORECASE)
"""An encoding in which a tag may not be the bytes that it is in ASCII: nothing is recovered from such a file."""


def read_report(path: Path) -> Report | None:
    """The report in this file; None when there is no such file. Raises OSError when it cannot be read."""
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
        return Report(_recovered(data), f"cannot be read to its end: {clean(str(error), MAX_REASON)}")
    differences = (difference(suite).words for suite in elements.outer())
    return Report(elements.suites(), elements.odd or next(filter(None, differences), ""))


def _recovered(data: bytes) -> tuple[Suite, ...]:
    return () if _FOREIGN.search(data[:200]) else recover(data.decode(errors="replace"))
