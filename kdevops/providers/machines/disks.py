"""Give disks of existing machines the names that suites look for."""

from __future__ import annotations

from collections.abc import Sequence

from kdevops.errors import InfrastructureError
from kdevops.guest.ssh import SshTarget
from kdevops.text import clean

_WAIT = 30
"""Seconds for a disk to appear: drivers and udev may still be at work."""
_REFUSED = 9
# $1 seconds to wait, then for each disk its path and minimum size. The last line of a refusal gives the reason. Any
# user of a disk or partition in the kernel opens it exclusively: the last check finds what the others overlook.
_LINK = f"""
PATH=$PATH:/usr/sbin:/sbin
refuse() {{ echo "$path $*"; exit {_REFUSED}; }}
wait=$1
shift
number=0
seen=
line='
'
mkdir -p /dev/disk/by-id
while [ $# -gt 0 ]; do
    path=$1 least=$2
    shift 2
    while [ ! -b "$path" ]; do
        [ "$wait" -gt 0 ] || refuse "is no block device there"
        wait=$((wait - 1))
        sleep 1
    done
    disk=$(readlink -f "$path")
    case $seen in
    *"$line$disk "*) first=${{seen##*"$line$disk "}}; refuse "is the same disk as ${{first%%"$line"*}}" ;;
    esac
    seen="$seen$line$disk $path$line"
    link=/dev/disk/by-id/virtio-kd-$number
    number=$((number + 1))
    [ "$(readlink -f "$link")" != "$disk" ] || continue
    sys=/sys/class/block/${{disk##*/}}
    [ -e "$sys" ] || refuse "is $disk, which the kernel does not know"
    for part in "$sys" "$sys"/"${{disk##*/}}"*; do
        [ -e "$part/dev" ] || continue
        name=${{part##*/}}
        where=$(awk -v dev="$(cat "$part/dev")" '$3 == dev {{ print $5; exit }}' /proc/self/mountinfo)
        [ -z "$where" ] || refuse "is in use: /dev/$name is mounted on $where"
        ! grep -q "^/dev/$name[[:space:]]" /proc/swaps || refuse "is in use: /dev/$name is swap"
        for user in "$part"/holders/* /sys/fs/btrfs/*/devices/"$name"; do
            [ ! -e "$user" ] || refuse "is in use: /dev/$name belongs to $user"
        done
    done
    [ "$(cat "$sys/ro")" = 0 ] || refuse "is read-only"
    size=$(($(cat "$sys/size") * 512))
    [ "$size" -ge "$least" ] || refuse "has $size bytes, and guests.disks says $least"
    if command -v python3 >/dev/null; then
        python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)' "$disk" 2>/dev/null || refuse "is in use"
    fi
    ln -sfn "$disk" "$link"
done
"""
_UNLINK = "rm -f /dev/disk/by-id/virtio-kd-[0-9]*"


async def link(ssh: SshTarget, paths: Sequence[str], sizes: Sequence[int], *, timeout: float, slowdown: float) -> None:
    """Name the disks at these paths /dev/disk/by-id/virtio-kd-N; `sizes` are the minimum bytes of each.

    Raises InfrastructureError for one that is missing, smaller, read-only, named twice, or in use, because its content
    would be lost. Content that nothing uses is not checked: tests leave file systems and volume groups behind.
    """
    if not paths:
        return
    wait = int(_WAIT * slowdown)
    words = [word for path, size in zip(paths, sizes, strict=True) for word in (path, str(size))]
    done = await ssh.run(["sh", "-ec", _LINK, "sh", str(wait), *words], timeout=timeout + wait, check=False)
    if done.returncode == 0:
        return
    said = (done.stdout if done.returncode == _REFUSED else done.stderr).strip().splitlines()[-1:]
    raise InfrastructureError(
        f"guest {ssh.name}: a disk cannot be used for tests: {clean(''.join(said), 300)}",
        hint="name disks that nothing uses, best by /dev/disk/by-id",
    )


async def unlink(ssh: SshTarget, *, timeout: float) -> None:
    """Remove the names. Raises InfrastructureError."""
    await ssh.run(["sh", "-c", _UNLINK], timeout=timeout)
