"""What tests leave behind in a guest: files worth keeping, and state in which no other test should run."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from kdevops.paths import write_atomic

MAX_FILES = 64
"""Files taken of one test; those of a test are a dozen at most, unless it drops core after core."""
ROOT_FREE_PERCENT = 10
ROOT_FREE_MIB = 200
"""What the root file system of a guest must have free, both."""

_RECORD = ("check.time", "check.log", "result.xml")
_NOTE = 128
"""Bytes that a cut file may be longer than the limit, for the line that says so."""
_PLAIN = re.compile(r"[A-Za-z0-9_+:@-][A-Za-z0-9._+:@-]*(?:/[A-Za-z0-9_+:@-][A-Za-z0-9._+:@-]*){0,3}")

# $1 directory, $2 limit in bytes, $3 most files, then names or, ending in a dot, what names begin with. Three processes
# when nothing has to be cut. Cut copies go to memory, because a full disk is one of the things that tests leave.
_PACK = r"""
limit=$2 most=$3
cd "$1" || exit
shift 3
for name; do
    shift
    case $name in
    *.) set -- "$@" "$name"* ;;
    *) set -- "$@" "$name" ;;
    esac
done
for file; do
    shift
    if [ -f "$file" ] && [ ! -L "$file" ] && [ $# -lt "$most" ]; then set -- "$@" "./$file"; fi
done
[ $# -gt 0 ] || exec tar -cf - -T /dev/null
cut=
large=$(find "$@" -maxdepth 0 -size +"$limit"c)
if [ -n "$large" ]; then
    cut=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) || exit
    trap 'rm -rf "$cut"' EXIT
    for file; do
        shift
        case "
$large
" in
        *"
$file
"*)
            mkdir -p "$cut/${file%/*}"
            size=$(stat -c %s "$file")
            {
                head -c "$limit" "$file"
                printf '\n[kdevops: the first %s bytes of %s]\n' "$limit" "$size"
            } >"$cut/$file"
            ;;
        *) set -- "$@" "$file" ;;
        esac
    done
    set -- "$@" -C "$cut" .
fi
tar -cf - "$@"
"""

# $1 where the state at the first call is noted, $2 percent and $3 MiB that must be free, then the mount points that may
# come and go. Three processes. What is mounted below /proc, /sys, /dev and /run is the system's own affair.
_SWEEP = r"""
note=$1 percent=$2 mib=$3
shift 3
list() {
    while read -r device point rest; do
        case $point in /proc/* | /sys/* | /dev/* | /run/*) continue ;; esac
        for usual; do [ "$point" = "$usual" ] && continue 2; done
        printf 'left mounted: %s on %s\n' "$device" "$point"
    done </proc/self/mounts
    for file in /sys/block/loop*/loop/backing_file; do
        [ -e "$file" ] && file=${file#/sys/block/} && printf 'left behind: loop device %s\n' "${file%%/*}"
    done
    for file in /sys/block/dm-*/dm/name; do
        [ -e "$file" ] && read -r name <"$file" && printf 'left behind: device mapper device %s\n' "$name"
    done
    :
}
if [ -e "$note" ]; then
    list "$@" | grep -vxFf "$note"
else
    list "$@" >"$note" || echo 'the root file system takes no file'
fi
set -- $(stat -f -c '%S %b %a' /)
free=$(($1 / 512 * $3 / 2048)) size=$(($1 / 512 * $2 / 2048))
if [ "$free" -lt "$mib" ] || [ $((free * 100)) -lt $((size * percent)) ]; then
    echo "the root file system is full: $free of $size MiB left"
fi
:
"""


def keep_command(results: str, name: str, limit: int) -> tuple[str, ...]:
    """The argv that writes to stdout a tar of what test `name` (`generic/001`) left below `results`, the section's directory.

    These are its files `.out.bad`, `.full`, `.dmesg`, `.notrun`, `.hints`, `.core…` and whatever else begins with its
    name and a dot; at most MAX_FILES, each cut to `limit` bytes and a line that says so. The tar is empty for none.
    """
    return _pack(results, limit, [f"{name}."])


def record_command(results: str, limit: int) -> tuple[str, ...]:
    """The same for the record that `check` itself keeps of a section: `check.time`, `check.log` and `result.xml`."""
    return _pack(results, limit, _RECORD)


def sweep_command(note: str, usual: Sequence[str]) -> tuple[str, ...]:
    """The argv that prints, a line each, why a guest should not be used on.

    To be run before every use of a guest: the first time it writes to the file `note` what is mounted and which loop
    and device mapper devices there are, for they are the guest's own; later it tells of those that came. Mount points
    in `usual` (TEST_DIR, the suite's own) are always right. It also tells of a root file system that is full.
    """
    return ("sh", "-c", _SWEEP, "kdevops", note, str(ROOT_FREE_PERCENT), str(ROOT_FREE_MIB), *usual)


def unpack(archive: Path, directory: Path, limit: int) -> tuple[Path, ...]:
    """Unpack what `keep_command` or `record_command` wrote into `directory`; the files, relative to it, sorted.

    Only regular files with plain names are taken, at most MAX_FILES, none longer than `limit` bytes and the note of a
    cut; an archive that ends too early, or is none, gives what is whole in it. Bound the archive's size before.
    Raises OSError when `directory` cannot be written to.
    """
    done: set[Path] = set()
    try:
        with tarfile.open(archive, "r:") as tar:
            for name, content in _wanted(tar, limit):
                path = directory / name
                if path.is_dir() or any(parent.is_file() for parent in path.parents):
                    continue  # two members cannot be had at the same place
                write_atomic(path, content)
                done.add(Path(name))
    except (tarfile.TarError, EOFError, ValueError):
        pass  # the guest died under it; what came before is whole
    return tuple(sorted(done))


def _wanted(tar: tarfile.TarFile, limit: int) -> Iterator[tuple[str, bytes]]:
    taken = 0
    for member in tar:
        name = member.name.removeprefix("./")
        if not member.isreg() or not 0 <= member.size <= limit + _NOTE or not _PLAIN.fullmatch(name):
            continue
        file = tar.extractfile(member)
        content = file.read(member.size) if file else b""
        if len(content) == member.size and taken < MAX_FILES:
            taken += 1
            yield name, content


def _pack(results: str, limit: int, names: Sequence[str]) -> tuple[str, ...]:
    return ("sh", "-c", _PACK, "kdevops", results, str(limit), str(MAX_FILES), *names)
