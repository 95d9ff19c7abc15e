"""Output without a terminal: progress and errors as plain lines on stderr."""

from __future__ import annotations

import sys

from kdevops.errors import KdevopsError
from kdevops.progress import Progress


class Lines:
    """Progress as plain lines: each new step, and each further tenth of it."""

    def __init__(self) -> None:
        self._told: tuple[str, int] | None = None

    def show(self, news: Progress) -> None:
        """Print `news` unless it adds little to the last line."""
        now = (news.step, int((news.fraction or 0) * 10))
        if now == self._told:
            return
        self._told = now
        share = f" {news.fraction:.0%}" if news.fraction is not None else ""
        left = f", {news.eta:.0f} s left" if news.eta is not None else ""
        print(f"{news.step}{share}{left}: {news.detail}", file=sys.stderr, flush=True)


def tell(error: KdevopsError) -> None:
    """Print an error with its hint and log."""
    print(f"error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
    if error.log:
        print(f"log: {error.log}", file=sys.stderr)
