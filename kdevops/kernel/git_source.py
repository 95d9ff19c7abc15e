"""A kernel from git: one bare repository per URL in the cache, and per commit one tree without any .git in it."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import CommandError, InfrastructureError, UserError
from kdevops.kernel.files import digest_of, locked, published
from kdevops.kernel.tree import Identity, check_tree
from kdevops.process import run
from kdevops.progress import Progress, Report

_STEP = "kernel source"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NEEDS_HISTORY = re.compile(r"[0-9a-f]{7,39}|.*[~^].*")
_FETCH_DEADLINE = 4 * 3600.0
_SAFE_TRANSPORTS = "file:git:http:https:ssh"  # git's default minus ext::, which would run any command


@dataclass(frozen=True, slots=True)
class GitSource:
    """The commit that `ref` (a branch, a tag, a commit; default HEAD) names in the repository at `url`.

    Only what is needed is fetched: one commit without its history, all of it when `ref` is an abbreviated or relative one.
    """

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
        """By commit. Raises UserError for an unknown ref (naming the nearest), InfrastructureError for an unreachable URL."""
        if self.url.startswith("-") or self.ref.startswith("-"):
            raise UserError(f"{self.name!r} is no git URL and ref: neither may begin with a dash")
        async with locked(self._repository().with_suffix(".lock"), report=self.report, step=_STEP):
            commit = await self._resolve()
        return Identity(digest_of(["commit", commit]), commit)

    async def tree(self, identity: Identity) -> Path:
        """The commit's files."""
        assert identity.commit
        target = self.cache / "sources" / identity.key
        async with locked(self._repository().with_suffix(".lock"), report=self.report, step=_STEP):
            if target.is_dir():
                return target
            await self._ensure_commit(identity.commit)
            self.report(Progress(_STEP, f"checking out {identity.commit[:12]}"))
            with published(target) as temporary:
                env = {"GIT_INDEX_FILE": str(self._repository() / "kdevops-index")}
                await self._git(f"--work-tree={temporary}", "read-tree", "--reset", identity.commit, env=env)
                await self._git(f"--work-tree={temporary}", "checkout-index", "--all", "--force", env=env)
                check_tree(temporary)
        return target

    def _repository(self) -> Path:
        return self.cache / "git" / f"{digest_of(self.url)[:16]}.git"

    async def _git(self, *words: str, env: dict[str, str] | None = None) -> str:
        safe = {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": _SAFE_TRANSPORTS, "LC_ALL": "C"}
        argv = ["git", f"--git-dir={self._repository()}", *words]
        return (await run(argv, env={**safe, **(env or {})}, timeout=_FETCH_DEADLINE)).stdout.strip()

    async def _resolve(self) -> str:
        if not (self._repository() / "HEAD").is_file():
            await run(["git", "init", "--quiet", "--bare", self._repository()], timeout=60)
        if _COMMIT.fullmatch(self.ref):
            await self._ensure_commit(self.ref)
            return self.ref
        offered = await self._offered()
        for name in (self.ref, f"refs/tags/{self.ref}^{{}}", f"refs/tags/{self.ref}", f"refs/heads/{self.ref}"):
            if name in offered:
                return offered[name]
        if _NEEDS_HISTORY.fullmatch(self.ref):
            await self._fetch("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            try:
                return await self._git("rev-parse", "--verify", "--quiet", f"{self.ref}^{{commit}}")
            except CommandError:
                pass
        names = [
            name.removeprefix("refs/tags/").removeprefix("refs/heads/") for name in offered if not name.endswith("^{}")
        ]
        near = difflib.get_close_matches(self.ref, names, n=3, cutoff=0.4)
        raise UserError(
            f"{self.url} has no branch, tag or commit {self.ref!r}",
            hint=f"nearest: {', '.join(near)}" if near else None,
        )

    async def _offered(self) -> dict[str, str]:
        """What the remote calls its commits: full name of the ref → commit."""
        try:
            lines = (await self._git("ls-remote", "--", self.url)).splitlines()
        except CommandError as error:
            raise InfrastructureError(
                f"git cannot reach {self.url}: {error.message}", hint="check the URL and the network"
            ) from error
        return {name: commit for commit, _, name in (line.partition("\t") for line in lines)}

    async def _ensure_commit(self, commit: str) -> None:
        try:
            await self._git("cat-file", "-e", f"{commit}^{{commit}}")
        except CommandError:
            pass
        else:
            return
        try:
            await self._fetch("--depth=1", commit)
        except CommandError:  # a server may refuse to give a commit by its hash alone
            await self._fetch("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        try:
            await self._git("cat-file", "-e", f"{commit}^{{commit}}")
        except CommandError as error:
            raise UserError(f"{self.url} has no commit {commit}") from error

    async def _fetch(self, *what: str) -> None:
        self.report(Progress(_STEP, f"fetching {self.ref} from {self.url}"))
        options = [word for word in what if word.startswith("--")]
        if not options and (self._repository() / "shallow").exists():
            options = ["--unshallow"]
        refs = [word for word in what if not word.startswith("--")]
        await self._git("fetch", "--quiet", "--no-tags", *options, "--", self.url, *refs)
