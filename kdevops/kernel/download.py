"""Fetch one file by URL, bounded in size and time, and keep it only when it is what was asked for."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import os
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from kdevops.errors import InfrastructureError, UserError
from kdevops.kernel.files import published
from kdevops.progress import Progress, Report

MAX_BYTES = 4 << 30
"""Ten times the biggest kernel tarball there is."""
DEADLINE = 3600.0
_STALL = 60.0
_CHUNK = 1 << 20


async def download(url: str, sha256: str, target: Path, report: Report) -> Path:
    """Bring `url` to `target`, a directory, under the URL's own file name; its SHA-256 must be `sha256`.

    Raises UserError for another content or an unknown scheme, InfrastructureError when the network or the disk fails.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UserError(f"cannot download {url}: only http and https URLs are supported")
    name = Path(parts.path).name or "linux.tar"
    if not (target / name).is_file():
        stop = threading.Event()
        with published(target) as temporary:
            try:
                found = await asyncio.to_thread(_fetch, url, temporary / name, stop, report)
            finally:
                stop.set()
            if found != sha256:
                raise UserError(f"{url} delivered something else: its sha256 is {found}, expected {sha256}")
    return target / name


def _fetch(url: str, path: Path, stop: threading.Event, report: Report) -> str:
    """Write `url` to `path` and return its SHA-256; gives up soon after `stop` is set."""
    digest = hashlib.sha256()
    done, started = 0, time.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=_STALL) as answer, path.open("wb") as file:  # noqa: S310 - scheme is checked
            total = int(answer.headers.get("Content-Length") or 0)
            while chunk := answer.read(_CHUNK):
                done += len(chunk)
                seconds = time.monotonic() - started
                if stop.is_set():
                    raise InfrastructureError(f"the download of {url} was stopped")
                if done > MAX_BYTES or seconds > DEADLINE:
                    raise InfrastructureError(
                        f"{url} was given up after {done >> 20} MiB and {seconds:.0f} s: too big or too slow"
                    )
                digest.update(chunk)
                file.write(chunk)
                fraction = min(done / total, 1.0) if total else None
                eta = seconds * (1 / fraction - 1) if fraction else None
                report(Progress("kernel download", f"{done >> 20} MiB of {os.path.basename(url)}", fraction, eta))  # noqa: PTH119
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise InfrastructureError(
            f"cannot download {url}: {error}", hint="check the URL, the network and the proxy settings"
        ) from error
    return digest.hexdigest()
