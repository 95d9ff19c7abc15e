"""KUnit suites in the modules of a kernel, which are in a tar archive."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from kdevops.distribution import install_hint
from kdevops.errors import InfrastructureError, UserError
from kdevops.process import run
from kdevops.suites.kunit.elf import MAX_MODULE, suites_in_module_data

_UNPACK_TIMEOUT = 60.0


async def modules_with_suites(archive: Path | None) -> dict[str, str]:
    """Suite → module name, for the modules in a tar archive; {} without one.

    Raises UserError for a module that cannot be read, InfrastructureError if zstd is needed but missing.
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
            data = file.read()
            if name.endswith(".ko.zst"):
                data = await _unzstd(name, data)
                name = name.removesuffix(".zst")
            found |= dict.fromkeys(suites_in_module_data(name, data), name.partition(".ko")[0])
    return found


async def _unzstd(name: str, packed: bytes) -> bytes:
    """Decompress a module; Python's library has no zstd before 3.14."""
    if shutil.which("zstd") is None:
        hint = f"{install_hint('zstd')}, or set CONFIG_MODULE_COMPRESS_NONE=y"
        raise InfrastructureError(f"{name} is packed with zstd, which is not installed here", hint=hint)
    data = bytearray()

    def keep(chunk: bytes) -> None:
        if len(data) <= MAX_MODULE:
            data.extend(chunk)

    command = ["zstd", "--decompress", "--stdout", "--quiet"]
    done = await run(command, stdin=packed, check=False, timeout=_UNPACK_TIMEOUT, on_bytes=keep)
    if done.returncode != 0:
        raise UserError(f"{name} cannot be unpacked: {done.stderr.strip()[:200]}")
    if len(data) > MAX_MODULE:
        raise UserError(f"{name} unpacks to more than {MAX_MODULE >> 20} MiB")
    return bytes(data)
