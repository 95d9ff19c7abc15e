"""Download one file with limits on size and time, and keep it only if its hash is right."""

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
from kdevops.progress import Progress, Report

DEADLINE = 4 * 3600.0
"""Seconds a download may take."""
_STALL = 60.0
_CHUNK = 1 << 20


async def download(
    url: str,
    target: Path,
    *,
    sha256: str,
    limit: int,
    step: str,
    report: Report,
    schemes: tuple[str, ...] = ("http", "https"),
) -> None:
    """Download `url` to `target` durably; at most `limit` bytes, with this `sha256`.

    Raises UserError for a wrong hash or an unsupported scheme, InfrastructureError when the network or the disk fails;
    `target` is then removed.
    """
    if urlsplit(url).scheme not in schemes:
        raise UserError(f"cannot download {url}: only {', '.join(schemes)} URLs are supported")
    stop = threading.Event()
    try:
        _check(url, await asyncio.to_thread(_fetch, url, target, limit, step, report, stop), sha256)
    except BaseException:
        stop.set()
        target.unlink(missing_ok=True)
        raise


def _check(url: str, found: str, expected: str) -> None:
    if found != expected:
        raise UserError(
            f"{url} has the wrong sha256: it is {found}, expected {expected}",
            hint="if the new content is right, update the sha256 in the lab file",
        )


def _fetch(url: str, target: Path, limit: int, step: str, report: Report, stop: threading.Event) -> str:
    digest = hashlib.sha256()
    done, started = 0, time.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=_STALL) as answer, target.open("wb") as file:  # noqa: S310 - the caller checked
            total = int(answer.headers.get("Content-Length") or 0)
            while chunk := answer.read(_CHUNK):
                done += len(chunk)
                seconds = time.monotonic() - started
                if stop.is_set():
                    break
                if done > limit or seconds > DEADLINE:
                    raise InfrastructureError(
                        f"gave up on {url} after {done >> 20} MiB and {seconds:.0f} s: too big or too slow"
                    )
                digest.update(chunk)
                file.write(chunk)
                fraction = min(done / total, 1.0) if total else None
                eta = seconds * (1 / fraction - 1) if fraction else None
                report(Progress(step, f"downloading, {done >> 20} MiB", fraction, eta))
            file.flush()
            os.fsync(file.fileno())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise InfrastructureError(
            f"cannot download {url}: {error}", hint="check the URL, the network and the proxy settings"
        ) from error
    return digest.hexdigest()
