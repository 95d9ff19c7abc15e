"""The fstests section of lab.yaml: which profiles, which tests, and which are known to fail."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kdevops.lab.fields import Duration, Model, Paths, Ref, Repository, Strings, Symbols, one_or_more
from kdevops.lab.servers import Role

UPSTREAM = "https://git.kernel.org/pub/scm/fs/xfs/xfstests-dev.git"
"""Where fstests is developed."""

# Only characters that are not special to the shell, because fstests reads its configuration as a shell script.
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
    """Where fstests comes from: a git repository and a ref, or a local tree."""

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
        """The git repository, by default upstream's."""
        return self.git or UPSTREAM


class Needs(Model):
    """What a profile requires.

    `page_size` is for blocks that must fit into a page; from the kernel series `page_size_until` on, the file system
    works with any page size.
    """

    kernel: str | None = Field(default=None, pattern=_SERIES, description="the oldest kernel series, as in '6.12'")
    tools: dict[str, Annotated[str, Field(pattern=_VERSION)]] = Field(
        default={}, description="Debian package: oldest version, as in xfsprogs: '6.5'; '0' for any"
    )
    options: Symbols = Field(default=(), description="kernel options in addition to those of the file system")
    page_size: int | None = Field(default=None, gt=0, description="the smallest page, in bytes")
    page_size_until: str | None = Field(
        default=None, pattern=_SERIES, description="first kernel series that works with any page size"
    )
    zoned: bool = Field(default=False, description="needs zoned disks, such as ZNS")
    server: tuple[Literal["pnfs", "rdma", "tls"], ...] = Field(
        default=(), description="features its server must provide beyond plain serving"
    )


class Profile(Model):
    """How to make and mount a file system: a section of fstests' configuration."""

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

    `profiles` names built-in profiles (`kdevops lab profiles`) or those in `define`. Without `groups` and
    `tests`, the group auto is run. `exclude_groups` and `exclude` override both.
    """

    profiles: Annotated[Strings, Field(min_length=1)]
    define: dict[ProfileName, Profile] = Field(default={}, description="your own profiles, by name")
    profile_files: Paths = Field(default=(), description="YAML files with more profiles, in the format of define")
    source: FstestsSource = FstestsSource()
    groups: Groups = ()
    exclude_groups: Groups = ()
    tests: TestNames = ()
    exclude: TestNames = ()
    start_after: TestName | None = None
    count: int = Field(default=1, ge=1, le=10_000, description="how many times each test is run")
    soak: Duration = Field(
        default=0, ge=0, description="how long tests of the group soak run: seconds, or text such as 1h"
    )
    known: Literal["run", "skip"] = Field(
        default="run",
        description="tests on an expunge list: run them last with short deadlines, or count them as skipped",
    )
    expunges: Paths = Field(default=(), description="directories of expunge lists, each with a directory per kernel")
    timeout: float | None = Field(
        default=None,
        gt=0,
        description="seconds a test may take; default: ten times its last duration, or an hour if unknown",
    )
