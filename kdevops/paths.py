"""Directories: the user's XDG directories, and the data shipped with the package."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


def _xdg(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    # The XDG base directory specification requires ignoring a relative value.
    base = Path(value) if Path(value).is_absolute() else Path.home() / fallback
    return base / "kdevops"


def state_dir() -> Path:
    """Directory of runs, labs and other lasting state: `$XDG_STATE_HOME/kdevops`, or $KDEVOPS_STATE."""
    override = os.environ.get("KDEVOPS_STATE")
    return Path(override).absolute() if override else _xdg("XDG_STATE_HOME", ".local/state")


def cache_dir() -> Path:
    """Directory of caches (images, kernels, sources): `$XDG_CACHE_HOME/kdevops`, or $KDEVOPS_CACHE."""
    override = os.environ.get("KDEVOPS_CACHE")
    return Path(override).absolute() if override else _xdg("XDG_CACHE_HOME", ".cache")


def data_dir(kind: str) -> Path:
    """The shipped directory `kind` (playbooks, roles, labs, …): beside the package in a checkout, else inside the package."""
    package = Path(__file__).parent
    checkout = package.parent / kind
    if checkout.is_dir() and (package.parent / "pyproject.toml").is_file():
        return checkout
    return package / "data" / kind


def socket_dir() -> Path:
    """A private directory with a short path, because the path of a UNIX socket is limited to 107 bytes.

    Raises OSError if the directory cannot be created or belongs to another user.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    base = Path(runtime) if Path(runtime).is_absolute() and len(runtime) < 40 and os.access(runtime, os.W_OK) else None
    temporary = tempfile.gettempdir()
    fallback = Path(temporary if len(temporary) < 40 else "/tmp") / f"kdevops-{os.getuid()}"  # noqa: S108 - checked below
    path = base / "kdevops" if base else fallback
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = path.lstat()
    if owner.st_uid != os.getuid() or owner.st_mode & 0o077:
        raise PermissionError(f"{path} is not private to this user: remove it, another user may have created it")
    return path


def socket_of(directory: Path, kind: str) -> Path:
    """The path of a socket for `directory`, short enough for the kernel."""
    return socket_dir() / f"{hashlib.sha256(str(directory).encode()).hexdigest()[:12]}.{kind}"
