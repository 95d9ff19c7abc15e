"""Find results of blktests: `results/<device>[_<condition>]/<group>/<nnn>`, or a tree of such directories.

The device is `nodev` for tests that need none. `check` keeps the last result of each test, so the results of one device may
be from several runs, and from several kernels: none of the files names one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from kdevops.errors import UserError
from kdevops.results.model import Outcome, Status
from kdevops.suites.blktests.result import MAX_BYTES, Told, date, outcome, parse
from kdevops.suites.shared.given_files import directories, read_given
from kdevops.suites.shared.grouping import as_profile, release, release_above
from kdevops.suites.shared.imports import MAX_FILE, Section
from kdevops.suites.shared.kernel_reports import with_reports

_FILE = re.compile(r"(?P<number>\d{3})(?P<ending>\.[A-Za-z0-9._+-]{1,100})?", re.ASCII)
_GROUP = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_ENDLESS = "its result file is too long"
_RAN_ON = re.compile(r"(?:Not tainted|Tainted: [A-Z ]{1,40}) +(\S{1,100}) #\d")
_LONG = timedelta(days=2)
_UNFINISHED = "it began, but check wrote no result: it was interrupted, or the machine died"


@dataclass(slots=True)
class _Device:
    told: dict[str, Told] = field(default_factory=dict)
    files: dict[str, list[Path]] = field(default_factory=dict)

    def endings(self, name: str) -> frozenset[str]:
        return frozenset(path.name[3:] for path in self.files.get(name, ()))


def find_sections(directory: Path, kernel: str = "") -> list[Section]:
    """The results of every device in or below `directory`. `kernel` is the release that ran, "" if it is to be found.

    Raises UserError if there are no results, the kernel is unknown, or a file cannot be read.
    """
    if not directory.is_dir():
        raise UserError(f"{directory} is not a directory", hint="name the results directory of blktests")
    found: dict[Path, _Device] = {}
    for path, names in directories(directory):
        if path != directory and _GROUP.fullmatch(path.name):
            _read_group(path, names, found)
    # The sources of blktests have files of the same names.
    devices = {
        path: each for path, each in found.items() if any("status" in told.values for told in each.told.values())
    }
    if not devices:
        raise UserError(
            f"there are no results of blktests in {directory}: it has no file like nodev/block/001 with a status",
            hint="name the directory `results` of blktests, or one above it",
        )
    return [_section(path, device, kernel) for path, device in sorted(devices.items())]


def _read_group(path: Path, names: Iterable[str], found: dict[Path, _Device]) -> None:
    for file, match in ((path / name, _FILE.fullmatch(name)) for name in names):
        if not match or file.is_symlink() or not file.is_file():
            continue
        device = found.setdefault(path.parent, _Device())
        name = f"{path.name}/{match['number']}"
        if match["ending"]:
            device.files.setdefault(name, []).append(file)
        elif data := read_given(file, MAX_BYTES):
            told = parse(data[0])
            device.told[name] = Told(told.values, _ENDLESS) if data[1] > MAX_BYTES else told


def _section(path: Path, device: _Device, kernel: str) -> Section:
    messages = {name: _messages(device.files.get(name, ())) for name in device.files}
    outcomes: dict[str, Outcome] = {}
    for name in sorted({*device.told, *device.files}):
        if name not in device.told:
            outcomes[name] = Outcome(Status.MISSING, reason=_UNFINISHED)
            continue
        end = outcome(device.told[name], device.endings(name))
        outcomes[name] = with_reports(end, messages[name]) if end.status.is_bad and messages.get(name) else end
    dates = [when for told in device.told.values() if (when := date(told))]
    ran = kernel or release_above(path) or _kernel(messages)
    if not ran:
        raise UserError(f"nothing says which kernel ran in {path}", hint="specify it: --kernel 6.1.192")
    profile = as_profile(path.name)
    return Section(path, profile, ran, outcomes, device.files, tuple(_notes(profile, dates)), max(dates, default=None))


def _notes(profile: str, dates: Iterable[datetime]) -> Iterable[str]:
    days = sorted(dates)
    if days and days[-1] - days[0] > _LONG:
        yield f"{profile}: the tests ran from {days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}; check keeps the last result of each"


def _messages(files: Iterable[Path]) -> list[str]:
    """What `check` kept of the kernel's messages during a test."""
    file = next((file for file in files if file.name.endswith(".dmesg")), None)
    data = read_given(file, MAX_FILE) if file else None
    return data[0].decode(errors="replace").splitlines() if data else []


def _kernel(messages: Mapping[str, list[str]]) -> str:
    """The kernel that reports name, if it is always the same one."""
    named = {
        match[1]
        for lines in messages.values()
        for line in lines
        if (match := _RAN_ON.search(line)) and release(match[1])
    }
    return named.pop() if len(named) == 1 else ""
