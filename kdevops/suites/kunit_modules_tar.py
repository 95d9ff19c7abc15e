"""KUnit suites in the modules of a kernel, which come as one tar archive."""

from __future__ import annotations

import tarfile
from pathlib import Path

from kdevops.suites.kunit_elf import MAX_MODULE, suites_in_module_data


def modules_with_suites(archive: Path | None) -> dict[str, str]:
    """Suite → module name, of the modules in a tar archive; {} without one.

    Raises UserError for a module that cannot be read.
    """
    found: dict[str, str] = {}
    if archive is None:
        return found
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            if not member.isfile() or ".ko" not in name or member.size > MAX_MODULE:
                continue
            file = tar.extractfile(member)
            assert file
            found |= dict.fromkeys(suites_in_module_data(name, file.read()), name.partition(".ko")[0])
    return found
