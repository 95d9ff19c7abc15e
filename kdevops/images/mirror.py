"""Find the Debian mirror in the host's apt settings (sources.list(5), both formats)."""

from __future__ import annotations

import email.parser
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

APT = Path("/etc/apt")
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>(?:\s+\S+)+)")
_DERIVED = ("-updates", "-security")


@dataclass(frozen=True, slots=True)
class Source:
    """One suite of one archive, as in a line of sources.list."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""

    @property
    def is_debian(self) -> bool:
        """Whether this is Debian's own archive, not a third party's."""
        if "main" not in self.components:
            return False
        if self.signed_by:
            return "debian-archive" in Path(self.signed_by).name
        return any(part.startswith("debian") for part in urlsplit(self.uri).path.split("/"))

    def line(self) -> str:
        """The source in one-line format, for mmdebstrap."""
        options = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {options}{self.uri} {self.suite} {' '.join(self.components)}"


def host_sources(suite: str, apt: Path = APT) -> list[str]:
    """Lines for `suite`, its updates and security fixes, from the host's Debian mirrors; [] when the host has none.

    The mirror of a host with another release works too, since every mirror has every release.
    """
    found = [source for source in _read(apt) if source.is_debian]
    wanted = {suite, *(suite + derived for derived in _DERIVED)}
    if any(source.suite == suite for source in found):
        return list(dict.fromkeys(source.line() for source in found if source.suite in wanted))
    for source in found:
        # Security fixes and the like have their own archives, without the release itself.
        if "-" not in source.suite and "/" not in source.suite:
            return [Source(source.uri, suite, source.components, source.signed_by).line()]
    return []


def _read(apt: Path) -> Iterator[Source]:
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    for path in files:
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        if path.suffix == ".list":
            yield from parse_lines(text)
        elif path.suffix == ".sources":
            yield from parse_deb822(text)


def parse_lines(text: str) -> Iterator[Source]:
    """The `deb` entries of a sources.list."""
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match:
            options = dict(option.partition("=")[::2] for option in (match["options"] or "").split())
            yield Source(
                match["uri"], match["suite"], tuple(match["components"].split()), _keyring(options.get("signed-by", ""))
            )


def parse_deb822(text: str) -> Iterator[Source]:
    """The enabled `deb` entries of a .sources file."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for paragraph in re.split(r"\n\s*\n", kept):
        fields = email.parser.HeaderParser().parsestr(paragraph.lstrip("\n"))
        if "deb" not in fields.get("Types", "").split() or fields.get("Enabled", "yes").strip().lower() in {
            "no",
            "false",
        }:
            continue
        for uri in fields.get("URIs", "").split():
            for suite in fields.get("Suites", "").split():
                yield Source(
                    uri, suite, tuple(fields.get("Components", "").split()), _keyring(fields.get("Signed-By", ""))
                )


def _keyring(value: str) -> str:
    """The keyring file; for fingerprints and inline keys, we rely on apt's default keyrings."""
    value = value.strip().partition(",")[0]
    return value if value.startswith("/") and len(value.split()) == 1 else ""
