"""The lab whose kernel all tests with real guests share: the demo, with what several of them need added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.support.command_line import REPOSITORY

LABS = REPOSITORY / "labs"
PROVOKE = Path(__file__).parents[1] / "e2e/provoke.patch"
"""Has a kernel complain of itself when it is asked to; the tests' kernel has it, and does nothing else for it."""
_OPTIONS = (
    *("NFS_FS=y", "NFS_V3=y", "NFS_V3_ACL=y", "NFS_V4=y", "NFS_V4_1=y", "NFS_V4_2=y"),
    *("NFSD=y", "NFSD_V3_ACL=y", "NFSD_V4=y", "INOTIFY_USER=y", "CIFS=y", "CIFS_XATTR=y", "NLS_UTF8=y"),
    *("UBSAN=y", "UBSAN_SHIFT=y", "UBSAN_SANITIZE_ALL=n"),
)
_SET = {"kernel.config.options": _OPTIONS, "kernel.patches": (str(PROVOKE),)}
DEMO = (
    LABS / "demo.yaml",
    *(word for field, values in _SET.items() for word in ("--set", f"{field}=[{', '.join(values)}]")),
)
"""On a command line, the demo with the kernel that all tests share."""
BUILD_SECONDS = 3600


def shared_lab() -> dict[str, Any]:
    """The demo's lab file, with the kernel that all tests share. Failures are not decided by reruns: few tests are about that."""
    lab: dict[str, Any] = yaml.safe_load((LABS / "demo.yaml").read_text())
    lab["kernel"]["config"]["options"] = list(_OPTIONS)
    lab["kernel"]["patches"] = [str(PROVOKE)]
    lab["verdict"] = {"rerun": "off"}
    return lab
