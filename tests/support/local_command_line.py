"""The command line, with this machine for its guests and for its kernel: `python -m tests.support.local_command_line run …`.

Everything else is real: the lab is read, its suites are found, prepared, planned, run and judged.
"""

from __future__ import annotations

import platform
import sys
from typing import Any

from kdevops.__main__ import main
from kdevops.kernel.artifact import Artifact
from kdevops.lab.model import Lab
from kdevops.run import build, manual, session
from kdevops.run.build import Built
from kdevops.run.places import Places
from tests.support.local_guest import LocalProvider


async def _kernel(lab: Lab, _: object, places: Places, __: object) -> Artifact:
    return Artifact(" ".join(["kernel", *lab.kernel.cmdline]), places.cache, places.cache, platform.release(), None)


async def _root(*_: object) -> tuple[None, None, dict[str, str]]:
    return None, None, {"key": "image"}


async def _provider(lab: Lab, places: Places, *_: Any) -> LocalProvider:
    return LocalProvider(places.state / "local-guests" / lab.name)


def _no_access(lab: Lab, places: Places, provider: object, built: Built, lab_file: object) -> None:
    return None


if __name__ == "__main__":
    vars(build).update(build_kernel=_kernel, build_root=_root)
    for module in (session, manual):
        vars(module).update(provider_for=_provider, write_access=_no_access)
    sys.exit(main())
