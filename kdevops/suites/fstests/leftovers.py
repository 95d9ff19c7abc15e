"""What tests leave behind in a guest: files worth keeping, and state in which no other test should run."""

from __future__ import annotations

from collections.abc import Sequence

MAX_FILES = 64
"""Files taken of one test; those of a test are a dozen at most, unless it drops core after core."""
ROOT_FREE_PERCENT = 10
ROOT_FREE_MIB = 200
"""What the root file system of a guest must have free, both."""

_RECORD = ("check.time", "check.log", "result.xml")
_NOTE = 100
"""Bytes of the limit that are for the line which says that a file was cut."""

# $1 directory, $2 limit in bytes, $3 what is kept of a longer file, $4 most files, then names or, ending in a dot, what
# names begin with. Three processes when nothing has to be cut. Cut copies go to memory, because a full disk is one of
# the things that tests leave.
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

# $1 where the state at the first call is noted, $2 percent and $3 MiB that must be free, then the mount points that may
# come and go. Three processes, the first time four. What is mounted below /proc, /sys, /dev and /run is the system's own affair.
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
    """The argv that writes to stdout a tar of what test `name` (`generic/001`) left below `results`, the section's directory.

    These are its files `.out.bad`, `.full`, `.dmesg`, `.notrun`, `.hints`, `.core…` and whatever else begins with its
    name and a dot; at most MAX_FILES, each cut to `limit` bytes, of which the last line says so. The tar is empty for none.
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


def _pack(results: str, limit: int, names: Sequence[str]) -> tuple[str, ...]:
    return ("sh", "-c", _PACK, "kdevops", results, str(limit), str(max(0, limit - _NOTE)), str(MAX_FILES), *names)
