"""The name and password with which a lab's cifs profiles mount: made with the lab, never written anywhere else."""

from __future__ import annotations

import secrets
from pathlib import Path

from kdevops.files import write_atomic

GUEST_PATH = "/etc/kdevops/smb-credentials"
"""Where guests have the file, mode 0600: what the profiles' mount options name (mount.cifs(8), credentials=)."""


def ensure_credentials(directory: Path) -> Path:
    """The credentials file of the lab whose state is in `directory`, mode 0600; made when it is not there.

    What goes to a guest is the file (on stdin of a command, or as a disk of its own), so that the password is in no argv.
    """
    path = directory / "smb-credentials"
    if not path.exists():
        write_atomic(path, f"username=root\npassword={secrets.token_urlsafe(24)}\n", mode=0o600)
    return path
