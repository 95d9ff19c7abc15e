"""The user name and password with which a lab's cifs profiles mount: generated with the lab, stored nowhere else."""

from __future__ import annotations

import secrets
from pathlib import Path

from kdevops.files import write_atomic

GUEST_PATH = "/etc/kdevops/smb-credentials"
"""Their path in guests, mode 0600, as in the profiles' mount options (mount.cifs(8), credentials=)."""


def ensure_credentials(directory: Path) -> Path:
    """The credentials file of the lab whose state is in `directory`, mode 0600; generated if it does not exist.

    Guests get the file itself (on stdin of a command, or as a disk of its own), so that the password is in no argv.
    """
    path = directory / "smb-credentials"
    if not path.exists():
        write_atomic(path, f"username=root\npassword={secrets.token_urlsafe(24)}\n", mode=0o600)
    return path
