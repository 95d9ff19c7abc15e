"""Errors that a test may provoke: of file systems on themselves, of the block layer, of the OOM killer."""

from __future__ import annotations

from functools import partial

from kdevops.triage.said.row import Pattern, Severity

_notice = partial(Pattern, severity=Severity.NOTICE, alone=True)

NOTICES = (
    _notice(
        "xfs corruption",
        regex=r"XFS \(\S+\): (?:Metadata .{1,40} detected at |Corruption |Internal error |Unmount and run xfs_repair)",
        source="fs/xfs/xfs_error.c",
    ),
    _notice(
        "xfs shutdown",
        regex=r"XFS \(\S+\): (?:.{0,60}[Ss]hut(?:ting)? ?down|log I/O error|metadata I/O error|[Ll]og \S{1,20} (?:failed|error))",
        source="fs/xfs/xfs_fsops.c, xfs_log.c",
    ),
    _notice(
        "ext4 error",
        regex=r"EXT[234]-fs error \(device "
        r"|EXT[234]-fs \(\S+\): (?:Remounting filesystem read-only|This should not happen|error)",
        source="fs/ext4/super.c",
    ),
    _notice(
        "jbd2",
        regex=r"JBD2: .{0,20}(?:Error|error|failed|Failed)|Aborting journal on device ",
        source="fs/jbd2/journal.c",
    ),
    _notice(
        "btrfs error",
        regex=r"BTRFS:? (?:emergency|alert|critical|error) \(device |BTRFS:? info \(device .{1,60}\): forced readonly"
        r"|BTRFS: Transaction aborted ",
        source="fs/btrfs/messages.c",
    ),
    _notice(
        "f2fs error",
        regex=r"F2FS-fs \(\S+\): .{0,40}(?:[Ss]topped filesystem|[Ii]nconsistent|[Cc]orrupt|[Ii]nvalid|[Ww]rong|[Bb]ad|[Ff]ail"
        r"|[Ee]rror|sanity|[Uu]nmatched|[Mm]ismatch|access invalid)",
        source="fs/f2fs",
    ),
    _notice(
        "bcachefs error",
        regex=r"bcachefs \(\S+\): .{0,120}(?:fatal error|emergency read only|error|inconsisten)",
        source="fs/bcachefs",
    ),
    _notice(
        "file system error",
        regex=r"(?:FAT-fs|exFAT-fs|UDF-fs)(?: \(\S+\))?: error\b|GFS2: fsid=\S+ fatal:|OCFS2: ERROR \(device |NTFS-fs error"
        r"|NILFS error |UBIFS error |ERROR: \(device |REISERFS error |SQUASHFS error:",
        source="fs",
    ),
    _notice(
        "block error",
        regex=r"(?:blk_update_request: |print_req_error: )?[\w/ -]{1,40} error, dev \S+, sector \d",
        source="block/blk-core.c",
        needle=" error, dev ",
    ),
    _notice("block error", regex=r"Buffer I/O error on dev", source="fs/buffer.c"),
    _notice(
        "block error",
        regex=r"nvme (?:nvme)?\S+: .{0,20}I/O .{1,80}timeout",
        source="drivers/nvme/host/pci.c",
    ),
    _notice("out of memory", regex=r"(?:Memory cgroup o|O)ut of memory: Kill", source="mm/oom_kill.c"),
    _notice(
        "out of memory", regex=r".{1,40} invoked oom-killer: ", source="mm/oom_kill.c", needle=" invoked oom-killer: "
    ),
    _notice(
        "allocation failure",
        regex=r".{1,40}: page allocation (?:failure|stalls)\b",
        source="mm/page_alloc.c",
        needle=": page allocation ",
    ),
)
