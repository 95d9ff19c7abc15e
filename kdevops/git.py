"""Source trees from git: from a URL, through a cached bare repository, or from the user's own work tree."""

from __future__ import annotations

import difflib
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import CommandError, InfrastructureError, UserError
from kdevops.files import digest_of, locked, published, sha256_of
from kdevops.process import run
from kdevops.progress import Progress, Report

_COMMIT = re.compile(r"[0-9a-f]{40}")
_NEEDS_HISTORY = re.compile(r"[0-9a-f]{7,39}|.*[~^].*")
_FETCH_DEADLINE = 4 * 3600.0
_SAFE_TRANSPORTS = "file:git:http:https:ssh"  # git's default without ext::, which would run any command


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository at `url`, fetched into `cache`/git. `step` names the work in `Progress`.

    Only what is needed is fetched: one commit without history, or everything for an abbreviated or relative name.
    """

    url: str
    cache: Path
    report: Report
    step: str

    async def commit_of(self, ref: str) -> str:
        """The commit of a branch, a tag or a commit name.

        Raises UserError for an unknown ref (suggesting the nearest), InfrastructureError for an unreachable URL.
        """
        if self.url.startswith("-") or ref.startswith("-"):
            raise UserError(f"{f'{self.url} {ref}'!r} is not a git URL and ref: neither may begin with a dash")
        async with locked(self._copy.with_suffix(".lock"), report=self.report, step=self.step):
            return await self._resolve(ref)

    async def tree(self, commit: str, target: Path, check: Callable[[Path], None]) -> Path:
        """The commit's files at `target`, without .git; `check` raises if it is the wrong kind of tree."""
        async with locked(self._copy.with_suffix(".lock"), report=self.report, step=self.step):
            if target.is_dir():
                return target
            await self._ensure_commit(commit)
            self.report(Progress(self.step, f"checking out {commit[:12]}"))
            with published(target) as temporary:
                env = {"GIT_INDEX_FILE": str(self._copy / "kdevops-index")}
                await self._git(f"--work-tree={temporary}", "read-tree", "--reset", commit, env=env)
                await self._git(f"--work-tree={temporary}", "checkout-index", "--all", "--force", env=env)
                check(temporary)
        return target

    async def day_of(self, commit: str) -> str:
        """The day on which a commit that was fetched was made, ISO 8601."""
        async with locked(self._copy.with_suffix(".lock"), report=self.report, step=self.step):
            await self._ensure_commit(commit)
            return await self._git("show", "--no-patch", "--format=%cs", commit)

    @property
    def _copy(self) -> Path:
        return self.cache / "git" / f"{digest_of(self.url)[:16]}.git"

    async def _git(self, *words: str, env: dict[str, str] | None = None) -> str:
        safe = {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": _SAFE_TRANSPORTS, "LC_ALL": "C"}
        argv = ["git", f"--git-dir={self._copy}", *words]
        return (await run(argv, env={**safe, **(env or {})}, timeout=_FETCH_DEADLINE)).stdout.strip()

    async def _resolve(self, ref: str) -> str:
        if not (self._copy / "HEAD").is_file():
            await run(["git", "init", "--quiet", "--bare", self._copy], timeout=60)
        if _COMMIT.fullmatch(ref):
            await self._ensure_commit(ref)
            return ref
        offered = await self._offered()
        for name in (ref, f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}"):
            if name in offered:
                return offered[name]
        if _NEEDS_HISTORY.fullmatch(ref):
            await self._fetch("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            try:
                return await self._git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
            except CommandError:
                pass
        names = [
            name.removeprefix("refs/tags/").removeprefix("refs/heads/") for name in offered if not name.endswith("^{}")
        ]
        near = difflib.get_close_matches(ref, names, n=3, cutoff=0.4)
        raise UserError(
            f"{self.url} has no branch, tag or commit {ref!r}",
            hint=f"nearest: {', '.join(near)}" if near else None,
        )

    async def _offered(self) -> dict[str, str]:
        """The remote's refs: full name → commit."""
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
        self.report(Progress(self.step, f"fetching from {self.url}"))
        options = [word for word in what if word.startswith("--")]
        if not options and (self._copy / "shallow").exists():
            options = ["--unshallow"]
        refs = [word for word in what if not word.startswith("--")]
        await self._git("fetch", "--quiet", "--no-tags", *options, "--", self.url, *refs)


@dataclass(frozen=True, slots=True)
class WorkTree:
    """A work tree's content: git's hash of all files, tracked and untracked, its commit, and its difference from that.

    `diff_sha256` is None if there is no difference. `day`: that on which the commit was made, ISO 8601.
    """

    content: str
    commit: str
    diff_sha256: str | None
    day: str = ""


async def read_work_tree(path: Path, *, export: Path | None = None, without: Sequence[str] = ()) -> WorkTree | None:
    """The content of the work tree with top directory `path`; with `export`, also copied there without ignored files.

    Of names in `without`, at its top, only the committed state counts. None if git cannot read it: not a work tree, no
    commit yet, or owned by another user. The user's repository is only read: git writes to a scratch index and a scratch
    object store. The scratch index starts as a copy of theirs, so unchanged files are not read.
    """
    if not (path / ".git").exists() or not shutil.which("git"):
        return None
    try:
        return await _read_work_tree(path, export, without)
    except CommandError:
        return None


async def _read_work_tree(path: Path, export: Path | None, without: Sequence[str]) -> WorkTree:
    plain = {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    with tempfile.TemporaryDirectory(prefix="kdevops-index-") as scratch:
        objects = Path(scratch, "objects")
        objects.mkdir()
        paths = await _git(
            path, plain, "rev-parse", "--path-format=absolute", "--git-path", "index", "--git-path", "objects"
        )
        index, theirs = paths.splitlines()
        head = await _git(path, plain, "rev-parse", "--verify", "HEAD^{commit}")
        env = {
            **plain,
            "GIT_INDEX_FILE": f"{scratch}/index",
            "GIT_OBJECT_DIRECTORY": str(objects),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": theirs,
        }
        shutil.copy2(index, env["GIT_INDEX_FILE"])
        await _git(path, env, "add", "--all", "--", ".", *(f":(top,exclude,literal){name}" for name in without))
        content = await _git(path, env, "write-tree")
        day = await _git(path, plain, "show", "--no-patch", "--format=%cs", head)
        if export:
            await _git(path, env, "checkout-index", "--all", "--force", f"--prefix={export}/")
        if content == await _git(path, env, "rev-parse", f"{head}^{{tree}}"):
            return WorkTree(content, head, None, day)
        difference = Path(scratch) / "diff"
        await _git(
            path,
            env,
            "diff",
            "--cached",
            "--binary",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            f"--output={difference}",
            head,
        )
        return WorkTree(content, head, sha256_of(difference), day)


async def _git(path: Path, env: dict[str, str], *words: str) -> str:
    return (await run(["git", "-C", path, *words], env=env, timeout=600)).stdout.strip()
