"""What tests leave in a guest: files worth keeping, and state that makes the guest unfit for further tests."""

from __future__ import annotations

from collections.abc import Sequence

MAX_FILES = 64
"""Files taken per test; a test has a dozen at most, unless it drops many cores."""
ROOT_FREE_PERCENT = 10
ROOT_FREE_MIB = 200
"""Both limits apply to the free space of a guest's root file system."""

_RECORD = ("check.time", "check.log", "result.xml")
_NOTE = 100
"""Bytes of the limit reserved for the line that says a file was cut."""

# $1 directory, $2 limit in bytes, $3 bytes kept of a longer file, $4 maximum number of files, then names or, ending in
# a dot, prefixes of names. Three processes if nothing has to be cut. Cut copies go to memory, because tests may leave a
# full disk.
_PACK = r"""
limit=$2 kept=$3 most=$4
cd "$1" || exit
shift 4
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
                head -c "$kept" "$file"
                printf '\n[kdevops: the first %s bytes of %s]\n' "$kept" "$size"
            } >"$cut/$file"
            ;;
        *) set -- "$@" "$file" ;;
        esac
    done
    set -- "$@" -C "$cut" .
fi
tar -cf - "$@"
"""

# $1 file with the state at the first call, $2 percent and $3 MiB that must be free, then the mount points that may come
# and go. Three processes, four at the first call. Mounts below /proc, /sys, /dev and /run belong to the system.
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
    { mkdir -p "${note%/*}" && list "$@" >"$note"; } || printf 'no file can be made in the guest: %s\n' "$note"
fi
set -- $(stat -f -c '%S %b %a' /)
free=$(($1 / 512 * $3 / 2048)) size=$(($1 / 512 * $2 / 2048))
if [ "$free" -lt "$mib" ] || [ $((free * 100)) -lt $((size * percent)) ]; then
    echo "the root file system is full: $free of $size MiB left"
fi
:
"""


def keep_command(results: str, name: str, limit: int) -> tuple[str, ...]:
    """The argv that writes a tar of the files of test `name` (`generic/001`) below `results` (its section) to stdout.

    These are its files `.out.bad`, `.full`, `.dmesg`, `.notrun`, `.hints`, `.core…` and any other that begins with its
    name and a dot; at most MAX_FILES, each cut to `limit` bytes including a last line that says so. The tar is empty if
    there are none.
    """
    return _pack(results, limit, [f"{name}."])


def record_command(results: str, limit: int) -> tuple[str, ...]:
    """The same for `check`'s own record of a section: `check.time`, `check.log` and `result.xml`."""
    return _pack(results, limit, _RECORD)


def sweep_command(note: str, usual: Sequence[str]) -> tuple[str, ...]:
    """The argv that prints why a guest should not be used any longer, one reason per line.

    Run it before every use of a guest. The first call writes the mounts, loop devices and device mapper devices to the
    file `note`, because they belong to the guest; later calls report new ones. Mount points in `usual` (TEST_DIR, the
    suite's own) are always accepted. It also reports a full root file system.
    """
    return ("sh", "-c", _SWEEP, "kdevops", note, str(ROOT_FREE_PERCENT), str(ROOT_FREE_MIB), *usual)


def _pack(results: str, limit: int, names: Sequence[str]) -> tuple[str, ...]:
    return ("sh", "-c", _PACK, "kdevops", results, str(limit), str(max(0, limit - _NOTE)), str(MAX_FILES), *names)
