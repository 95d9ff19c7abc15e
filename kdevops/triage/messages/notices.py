"""Errors that a test may provoke: from file systems, the block layer and the OOM killer."""

from __future__ import annotations

from functools import partial

from kdevops.triage.messages.pattern import Pattern, Severity

_notice = partial(Pattern, severity=Severity.NOTICE, alone=True)
_traced = partial(Pattern, severity=Severity.NOTICE)

FILE_SYSTEMS = (
    _traced(
        "xfs corruption",
        regex=r"XFS \(\S+\): (?:Metadata .{1,40} detected at |Corruption |Internal error |AAIEEE|corrupt dquot "
        r"|AGF corruption|Failed to recover|Failing async write  |xlog_recover\w*: )",
        source="fs/xfs/xfs_error.c, fs/xfs/xfs_log_recover.c",
    ),
    _notice(
        "xfs shutdown",
        regex=r"XFS \(\S+\): (?:.{0,60}[Ss]hut(?:ting)? ?down|(?:log|metadata) I/O error"
        r"|[Ll]og (?:mount|recovery|mount/recovery) failed|writeback error |page discard |Unmount and run xfs_repair)",
        source="fs/xfs/xfs_fsops.c, fs/xfs/xfs_log.c, fs/xfs/xfs_buf.c",
    ),
    _notice(
        "ext4 error",
        regex=r"EXT[234]-fs error \(device |EXT[234]-fs: .{1,60}aborting transaction"
        r"|EXT[234]-fs \(\S+\): (?:Remounting filesystem read-only|This should not happen|error|Delayed block allocation failed"
        r"|.{0,60}(?:potential data loss|I/O error)|group descriptors corrupted|Inode \d+ .{1,40}orphan list check failed)"
        r"|EXT[234]-fs warning \(device \S+\): \S+ I/O error",
        source="fs/ext4/super.c, fs/ext4/inode.c",
    ),
    _notice(
        "jbd2",
        regex=r"JBD2: .{0,60}(?:[Ee]rror|[Ff]ailed|[Ii]nvalid|corrupted|bad block|leaked|assertion failure)"
        r"|Aborting journal on device ",
        source="fs/jbd2",
    ),
    _traced(
        "btrfs error",
        regex=r"BTRFS:? (?:emergency|alert|critical|error)(?: \(device |: )|BTRFS:? info \(device .{1,60}\): forced readonly",
        source="fs/btrfs/messages.c",
    ),
    _traced(
        "btrfs error",
        regex=r"BTRFS warning \(device .{1,60}\): (?:csum failed|checksum |lost )",
        source="fs/btrfs/{inode,scrub,disk-io}.c",
    ),
    # Part of a WARNING unless the error comes from the disk.
    _traced("btrfs error", regex=r"BTRFS: Transaction aborted ", source="fs/btrfs/transaction.h", preface=True),
    _notice(
        "f2fs error",
        regex=r"F2FS-fs \(\S+\): .{0,60}(?:[Ss]topped filesystem|Remounting filesystem|[Ii]nconsistent|[Cc]orrupt|\b[Ii]nvalid"
        r"|[Ww]rong|\b[Bb]ad\b|[Ff]ail(?:ed|s)?\b|\b[Ee]rror\b|sanity|[Uu]nmatched|Mismatch valid|run fsck|stop checkpoint)",
        source="fs/f2fs",
    ),
    _notice(
        "bcachefs error",
        regex=r"bcachefs \([^)]{1,60}\): .{0,120}(?:emergency read only|\berror\b|inconsisten)",
        source="fs/bcachefs",
    ),
    _notice(
        "file system error",
        regex=r"(?:FAT-fs|exFAT-fs|UDF-fs)(?: \(\S+\))?: error\b|FAT-fs \(\S+\): Filesystem has been set read-only"
        r"|(?:GFS2|gfs2): fsid=\S+ fatal:|OCFS2: ERROR \(device |NTFS-fs error|UBIFS error |ERROR: \(device |REISERFS error "
        r"|SQUASHFS error:|NILFS(?: error \(device |: error | \(\S+\): .{0,60}(?:broken|error|corrupt))"
        r"|erofs(?: \(device \S+\))?: .{0,80}(?:bogus|corrupted|failed)"
        r"|ntfs3(?:\(\S+\)|: \S+): .{0,80}(?:corrupt|[Ff]ailed|dirty)",
        source="fs",
    ),
)

BLOCK = (
    _notice(
        "block error",
        regex=r"(?:\w{1,40}: )?[\w/ -]{1,40} error, dev \S+, sector \d",
        source="block/blk-core.c",
        needle=" error, dev ",
    ),
    _notice(
        "block error",
        regex=r"Buffer I/O error on dev|(?:Read|Write)-error on swap-device|Page cache invalidation failure on direct I/O",
        source="fs/buffer.c, mm/page_io.c, mm/filemap.c",
    ),
    _notice(
        "block error",
        regex=r"nvme\S{0,12}:? .{0,80}(?:timeout|controller is down|Error \(sct)",
        source="drivers/nvme/host",
    ),
    _notice(
        "block error",
        regex=r"(?:sd|sr) \S+: \[\w+\] .{0,60}(?:FAILED|failed:) Result: |ata\d+\S{0,4}: (?:exception Emask|failed command)",
        source="drivers/scsi/sd.c, drivers/ata",
    ),
    _notice(
        "block error",
        regex=r"loop: Write error at byte offset |zram: (?:Dec|C)ompression failed"
        r"|md/\w+:?\S*: (?:Disk failure on |Cannot continue operation|not enough operational)",
        source="drivers/block, drivers/md",
    ),
    _notice(
        "block error",
        regex=r"\S{1,20}: writeback error on inode ",
        source="fs/iomap/buffered-io.c",
        needle=": writeback error on ",
    ),
    _notice("hardware error", regex=r"mce: \[Hardware Error\]: ", source="arch/x86/kernel/cpu/mce/core.c"),
    _notice(
        "device mapper",
        regex=r"device-mapper: .{1,80}(?:corrupted|[Ff]ailed|\berror\b|aborting|reporting|Invalidating"
        r"|read-only mode|out-of-data)",
        source="drivers/md",
        loose=True,
    ),
)

MEMORY = (
    _notice("out of memory", regex=r"(?:Memory cgroup o|O)ut of memory(?: \(\w+\))?: Kill", source="mm/oom_kill.c"),
    _notice("out of memory", regex=r"oom-kill:constraint=", source="mm/oom_kill.c"),
    _notice("out of memory", regex=r"Out of memory and no killable processes", source="mm/oom_kill.c"),
    _traced(
        "out of memory", regex=r".{1,40} invoked oom-killer: ", source="mm/oom_kill.c", needle=" invoked oom-killer: "
    ),
    _traced(
        "allocation failure",
        regex=r".{1,40}: page allocation (?:failure|stall)",
        source="mm/page_alloc.c",
        needle=": page allocation ",
    ),
    _traced(
        "allocation failure",
        regex=r"XFS(?: \(\S+\))?: .{0,40}possible memory allocation deadlock",
        source="fs/xfs/kmem.c, up to 6.7",
    ),
    _traced("allocation failure", regex=r".{1,40}: vmalloc error: ", source="mm/vmalloc.c", needle=": vmalloc error: "),
    _traced(
        "allocation failure",
        regex=r"SLUB: Unable to allocate memory on |percpu: allocation failed, |vmap allocation for size \d",
        source="mm/{slub,percpu}.c",
    ),
)

NOTICES = (*FILE_SYSTEMS, *BLOCK, *MEMORY)
