"""The part of lab.yaml that asks for fstests: which profiles, which tests, and what is known to fail."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kdevops.lab.fields import Duration, Model, Paths, Ref, Repository, Strings, Symbols, one_or_more
from kdevops.lab.servers import Role

UPSTREAM = "https://git.kernel.org/pub/scm/fs/xfs/xfstests-dev.git"
"""Where fstests is developed."""

# No character of these means anything to the shell that fstests reads its configuration with.
_OPTIONS = r"^[A-Za-z0-9_=,.:^/+@%<> -]*$"
TestName = Annotated[str, Field(pattern=r"^[a-z0-9_]+/[A-Za-z0-9_*?\[\]-]+$", examples=["generic/001", "xfs/*"])]
Group = Annotated[str, Field(pattern=r"^[a-z0-9_][a-z0-9_-]*(/[a-z0-9_][a-z0-9_-]*)?$", examples=["quick", "xfs/rw"])]
TestNames = Annotated[tuple[TestName, ...], one_or_more(TestName)]
Groups = Annotated[tuple[Group, ...], one_or_more(Group)]
ProfileName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
FileSystem = Literal["xfs", "btrfs", "ext4", "tmpfs", "nfs", "cifs"]
_SERIES = r"^[0-9]{1,9}\.[0-9]{1,9}$"
_VERSION = r"^[0-9]{1,9}(\.[0-9]{1,9})*$"


class FstestsSource(Model):
    """Where fstests comes from: a git repository and a ref of it, or a tree that lies here already."""

    git: Repository | None = Field(default=None, description=f"default: {UPSTREAM}")
    ref: Ref | None = None
    path: Path | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> FstestsSource:
        if self.path and (self.git or self.ref):
            raise ValueError("give either path or git, not both")
        return self

    @property
    def repository(self) -> str:
        """The git repository: that which is named, else upstream's."""
        return self.git or UPSTREAM


class Needs(Model):
    """What a profile cannot do without.

    `page_size` is for blocks that must fit into a page; where the file system has learned to do without, that is from
    the kernel `page_size_until` on.
    """

    kernel: str | None = Field(default=None, pattern=_SERIES, description="the oldest kernel series, as in '6.12'")
    tools: dict[str, Annotated[str, Field(pattern=_VERSION)]] = Field(
        default={}, description="Debian's package: oldest version, as in xfsprogs: '6.5'; '0' is any"
    )
    options: Symbols = Field(default=(), description="kernel options over those of the file system")
    page_size: int | None = Field(default=None, gt=0, description="the smallest page, in bytes")
    page_size_until: str | None = Field(
        default=None, pattern=_SERIES, description="the kernel series from which on any page does"
    )
    zoned: bool = Field(default=False, description="disks that have zones, as in ZNS")
    server: tuple[Literal["pnfs", "rdma", "tls"], ...] = Field(
        default=(), description="what its server must have been set up for, beyond plain serving"
    )


class Profile(Model):
    """One way to make and mount a file system: a section of fstests' configuration."""

    fs: FileSystem
    mkfs: str = Field(default="", pattern=_OPTIONS, description="options of mkfs, for the test and the scratch disks")
    mount: str = Field(default="", pattern=_OPTIONS, description="options of mount, as in -o noatime")
    devices: tuple[Literal["log", "rt"], ...] = Field(
        default=(), description="external devices of XFS: a log, a real-time volume"
    )
    needs: Needs = Needs()
    server: Role | None = Field(default=None, description="the role of the guest that serves it")

    @model_validator(mode="after")
    def _served(self) -> Profile:
        serves: dict[str, Role] = {"nfs": "nfsd", "cifs": "smbd"}
        if self.server != serves.get(self.fs):
            wanted = f"server: {serves[self.fs]}" if self.fs in serves else "no server"
            raise ValueError(f"fs: {self.fs} needs {wanted}, found {self.server or 'none'}")
        return self


class Fstests(Model):
    """fstests: every chosen test is run with every profile.

    `profiles` names profiles that are known (`kdevops lab profiles`) or defined in `define`. Without `groups` and
    `tests`, the group auto is run. `exclude_groups` and `exclude` win over both.
    """

    profiles: Annotated[Strings, Field(min_length=1)]
    define: dict[ProfileName, Profile] = Field(default={}, description="profiles of one's own, by name")
    profile_files: Paths = Field(default=(), description="YAML files of more profiles, name: profile, as in define")
    source: FstestsSource = FstestsSource()
    groups: Groups = ()
    exclude_groups: Groups = ()
    tests: TestNames = ()
    exclude: TestNames = ()
    start_after: TestName | None = None
    count: int = Field(default=1, ge=1, le=10_000, description="how often each test is run")
    soak: Duration = Field(default=0, ge=0, description="how long tests of the group soak go on: seconds, or as in 1h")
    known: Literal["run", "skip"] = Field(
        default="run",
        description="tests that an expunge list knows to fail: run last under short deadlines, or count as skipped",
    )
    expunges: Paths = Field(default=(), description="directories of expunge lists, each with a directory per kernel")
    timeout: float | None = Field(
        default=None,
        gt=0,
        description="seconds a test may take; default: ten times what it took before, an hour when unknown",
    )
