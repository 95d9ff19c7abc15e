"""Build a Debian tree with mmdebstrap, as root or with user namespaces; hooks customise it."""

from __future__ import annotations

import getpass
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from kdevops.distribution import install_hint
from kdevops.errors import CommandError, InfrastructureError
from kdevops.images.disk import tool_path
from kdevops.images.mirror import host_sources
from kdevops.images.store import full, scratch
from kdevops.process import run

ID_TABLES = (Path("/etc/subuid"), Path("/etc/subgid"))
_TIMEOUT = 3600.0


async def bootstrap(
    suite: str,
    mirror: str | None,
    packages: Iterable[str],
    target: Path | None,
    *,
    options: Sequence[str] = (),
    hooks: Sequence[str] = (),
    work: Path,
    on_line: Callable[[str], None],
    log: Path,
) -> None:
    """Unpack Debian `suite` with these packages, run the `hooks`, and write the tree as a tar archive to `target`.

    Without a target the tree is discarded after the hooks ran. Hooks are arguments of mmdebstrap(1)'s --customize-hook.
    `work` is a directory to unpack in when memory is scarce.

    Raises CommandError with mmdebstrap's output, InfrastructureError when the disk is full or permissions are missing.
    """
    mode = await _mode()
    sources = [mirror] if mirror else host_sources(suite)
    argv = [
        "mmdebstrap", "--variant=minbase", f"--mode={mode}", f"--format={'tar' if target else 'null'}",
        f"--include={','.join(sorted(packages))}",
        '--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"', "--aptopt=Acquire::Retries 3",
        *options, "--dpkgopt=force-unsafe-io",
        *(f"--customize-hook={hook}" for hook in hooks),
        "--", suite, os.fspath(target or "/dev/null"), *sources,
    ]  # fmt: skip
    with scratch(work) as place:
        environment = {"LC_ALL": "C.UTF-8", "PATH": tool_path(), "TMPDIR": str(place)}
        try:
            await run(argv, env=environment, timeout=_TIMEOUT, on_line=on_line, log_to=log)
        except CommandError as error:
            if "No space left on device" in error.output or "enough free space" in error.output:
                raise full(place, log.parent, log=log) from error
            raise


def complaint(error: CommandError) -> str:
    """mmdebstrap's error message; its last line only says that apt failed."""
    lines = [line.strip() for line in error.output.splitlines()]
    said = next((line for line in lines if line.startswith("E: ") and not line.startswith("E: apt-get")), "")
    return said.removeprefix("E: ") or error.message


async def _mode() -> str:
    """mmdebstrap's mode: user namespaces where available, else plain root."""
    if os.geteuid() == 0:
        done = await run(["unshare", "--mount", "--pid", "--fork", "true"], timeout=30, check=False)
        return "unshare" if done.returncode == 0 else "root"
    if not shutil.which("newuidmap", path=tool_path()):
        raise InfrastructureError(
            "cannot make an image without root: newuidmap is not installed", hint=install_hint("newuidmap")
        )
    user = getpass.getuser()
    for table in ID_TABLES:
        names = {line.partition(":")[0] for line in table.read_text().splitlines()} if table.is_file() else set()
        if not {user, str(os.getuid())} & names:
            raise InfrastructureError(
                f"cannot make an image without root: {table} has no id range for {user}",
                hint=f"run as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
            )
    done = await run(["unshare", "--user", "true"], timeout=30, check=False)
    if done.returncode != 0:
        raise InfrastructureError(
            "cannot make an image without root: users may not create user namespaces on this machine",
            hint="run as root: sysctl kernel.unprivileged_userns_clone=1 (Debian) or "
            "kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), or make the image as root",
        )
    return "unshare"
