"""Make plain `ssh demo-1` work: a generated ssh_config(5) per lab, included by one line in the user's own file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from kdevops.errors import UserError
from kdevops.files import write_atomic

if TYPE_CHECKING:
    from kdevops.guest.ssh import SshTarget

_MARKER = b"# The next line is kdevops's; `kdevops ssh-config --uninstall` takes both away."
_BLOCK = re.compile(rb"^" + re.escape(_MARKER) + rb"\nInclude [^\n]*\n", re.MULTILINE)
_HEADER = "# Written by kdevops; rewritten whenever the guests change.\n"


def config_path(state: Path, lab: str) -> Path:
    """The path of a lab's generated configuration, below the state directory."""
    return state / "labs" / lab / "ssh_config"


def render(targets: Iterable[SshTarget]) -> str:
    """The ssh_config(5) text for some guests.

    Raises UserError for a path with a double quote or a line end, which the format does not allow.
    """
    from kdevops.guest.ssh import quote_option

    lines = [_HEADER]
    for target in targets:
        options = [("HostName", target.host), ("Port", str(target.port)), ("User", target.user), *target.options()]
        # Guests are hostile: override what the user allows for every host (`Host *`); the first value wins.
        options += [("ForwardX11", "no"), ("PermitLocalCommand", "no"), ("UpdateHostKeys", "no")]
        lines.append(f"Host {target.name}\n")
        lines += [f"  {keyword} {quote_option(keyword, _plain(value))}\n" for keyword, value in options]
    return "".join(lines)


def guests(state: Path) -> dict[str, Path]:
    """Every guest that ssh can reach, by name, with the path of its generated configuration."""
    found = {}
    for path in sorted(state.glob("labs/*/ssh_config")):
        for match in re.finditer(r"^Host ([a-z][a-z0-9-]*)$", path.read_text(errors="replace"), re.MULTILINE):
            found[match[1]] = path
    return found


def find_guest(state: Path, name: str) -> Path:
    """The generated configuration of the guest `name`; its directory is that of the guest's lab.

    Raises UserError, listing the known guests, for any other name.
    """
    known = guests(state)
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name[:80], known, n=1)
    listed = f"known guests: {', '.join(known)}" if known else "no guest is up: start guests with kdevops up"
    raise UserError(f"unknown guest {name}", hint=f"did you mean {close[0]}?" if close else listed)


def port_of(config: Path, name: str) -> int | None:
    """The port of the guest `name` in the generated configuration of its lab."""
    text = config.read_text(errors="replace")
    match = re.search(rf"^Host {re.escape(name)}\n(?: .*\n)*?  Port \"?([0-9]+)", text, re.MULTILINE)
    return int(match[1]) if match else None


def include_line(state: Path) -> str:
    """The line for the user's ssh configuration that includes every lab's guests."""
    return f'Include "{_plain(str(state))}/labs/*/ssh_config"'


def is_installed(config: Path, state: Path) -> bool:
    """Whether `config` holds our include line for this state directory."""
    return _block(state) in _read(config)


def install(config: Path, state: Path) -> bool:
    """Put our include line at the top of `config`, replacing an older one; False if it was already there.

    It goes to the top because below a `Host` line it would apply only to that host. Mode and symlinks are kept.
    """
    before = _read(config)
    if is_installed(config, state):
        return False
    if not config.parent.exists():
        config.parent.mkdir(mode=0o700, parents=True)
    _write(config, _block(state) + _BLOCK.sub(b"", before))
    return True


def uninstall(config: Path) -> bool:
    """Remove our include line from `config`, keeping every other byte; False if it was not there.

    A file that becomes empty is removed.
    """
    before = _read(config)
    after = _BLOCK.sub(b"", before)
    if after == before:
        return False
    if after or config.is_symlink():
        _write(config, after)
    else:
        config.unlink()
    return True


def _block(state: Path) -> bytes:
    return _MARKER + b"\n" + include_line(state).encode() + b"\n"


def _read(config: Path) -> bytes:
    try:
        return config.read_bytes()
    except FileNotFoundError:
        return b""


def _write(config: Path, content: bytes) -> None:
    target = config.resolve()
    write_atomic(target, content, mode=target.stat().st_mode & 0o777 if target.exists() else 0o600)


def _plain(value: str) -> str:
    if set(value) & set('"\n\r'):
        raise UserError(
            f"{value!r} cannot be written to an ssh configuration",
            hint="use a state directory without quotes in its name",
        )
    return value
