"""The command line, with this machine for its guests and for its kernel: `python -m tests.support.local_command_line run …`.

Everything else is real: the lab is read, its suites are found, prepared, planned, run and judged.
"""

from __future__ import annotations

import platform
import sys

from kdevops.__main__ import main
from kdevops.kernel.artifact import Artifact
from kdevops.lab.model import Lab
from kdevops.progress import Confirm, Report, ask_nobody, silent
from kdevops.run import build, manual, session
from kdevops.run.built import Built, Root
from kdevops.run.dirs import Dirs
from kdevops.run.guests.kinds import KINDS, Kind
from tests.support.local_guest import LocalProvider


async def _kernel(lab: Lab, _: object, dirs: Dirs, __: object) -> Artifact:
    return Artifact(" ".join(["kernel", *lab.kernel.cmdline]), dirs.cache, dirs.cache, platform.release(), None)


class _LocalKind(Kind):
    """A kind whose guests are this machine."""

    def attached(self, lab: Lab, dirs: Dirs, report: Report = silent) -> LocalProvider:
        return LocalProvider(dirs.state / "local-guests" / lab.name)

    async def provider_for(
        self, lab: Lab, dirs: Dirs, built: Built, report: Report, confirm: Confirm = ask_nobody
    ) -> LocalProvider:
        return self.attached(lab, dirs)

    async def build_root(self, lab: Lab, dirs: Dirs, report: Report) -> Root:
        return Root({"key": "image"})


def _no_access(lab: Lab, dirs: Dirs, provider: object, built: Built, lab_file: object) -> None:
    return None


if __name__ == "__main__":
    vars(build).update(build_kernel=_kernel)
    for module in (session, manual):
        vars(module).update(write_access=_no_access)
    KINDS.update(dict.fromkeys(KINDS, _LocalKind()))
    sys.exit(main())
