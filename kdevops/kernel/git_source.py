"""A kernel from git: one tree per commit in the cache, without .git."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdevops.files import digest_of
from kdevops.git import Repository
from kdevops.kernel.tree import Identity, check_tree
from kdevops.progress import Report

_STEP = "kernel source"


@dataclass(frozen=True, slots=True)
class GitSource:
    """The commit named by `ref` (a branch, a tag, a commit) in the repository at `url`."""

    url: str
    ref: str
    cache: Path
    report: Report
    in_place: bool = False

    @property
    def name(self) -> str:
        """URL and ref."""
        return f"{self.url} {self.ref}"

    async def identify(self) -> Identity:
        """By commit. Raises UserError for an unknown ref (suggesting the nearest), InfrastructureError for an unreachable URL."""
        commit = await self._repository.commit_of(self.ref)
        return Identity(digest_of(["commit", commit]), commit)

    async def tree(self, identity: Identity) -> Path:
        """The commit's files."""
        assert identity.commit
        return await self._repository.tree(identity.commit, self.cache / "sources" / identity.key, check_tree)

    @property
    def _repository(self) -> Repository:
        return Repository(self.url, self.cache, self.report, _STEP)
