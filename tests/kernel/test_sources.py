from __future__ import annotations

import asyncio
import hashlib
import http.server
import io
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError, UserError
from kdevops.kernel import package_source
from kdevops.kernel.source import open_source
from kdevops.kernel.spec import SourceSpec
from kdevops.kernel.toolchain import architecture
from kdevops.kernel.tree import Identity, Source
from kdevops.progress import silent
from tests.fakelinux import edit, make_tree


@pytest.fixture
def source(cache: Path):  # type: ignore[no-untyped-def]
    def opened(kind: str, location: object, **rest: str) -> Source:
        return open_source(SourceSpec(kind, str(location), **rest), architecture(), cache, silent)  # type: ignore[arg-type]

    return opened


def identify(source: Source) -> Identity:
    return asyncio.run(source.identify())


def bring(source: Source) -> Path:
    async def both() -> Path:
        return await source.tree(await source.identify())

    return asyncio.run(both())


class TestPath:
    """A tree of the user's own."""

    def test_content_is_its_identity_and_the_tree_is_used_in_place(self, toy: Path, source) -> None:  # type: ignore[no-untyped-def]
        first = identify(source("path", toy))
        assert bring(source("path", toy)) == toy
        assert identify(source("path", toy)) == first
        edit(toy)
        assert identify(source("path", toy)).key != first.key

    @pytest.mark.parametrize(
        ("path", "said", "hint"),
        [
            ("none", "does not exist", None),
            ("linux/Makefile", "is not a directory", None),
            ("linux/fs", "it has no Makefile", "use the top of the tree: {}"),
            (".", "it has no Makefile", None),
        ],
    )
    def test_what_is_no_tree(self, toy: Path, source, path: str, said: str, hint: str | None) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(UserError, match=said) as caught:
            identify(source("path", toy.parent / path))
        assert caught.value.hint == (hint and hint.format(toy))

    def test_another_project_with_a_makefile(self, toy: Path, source) -> None:  # type: ignore[no-untyped-def]
        (toy / "Makefile").write_text("all:\n\ttrue\n")
        with pytest.raises(UserError, match="VERSION and PATCHLEVEL"):
            identify(source("path", toy))

    def test_a_tree_built_in_place_is_refused_with_the_command_that_mends_it(self, tmp_path: Path, source) -> None:  # type: ignore[no-untyped-def]
        tree = make_tree(tmp_path / "unclean", unclean=True)
        with pytest.raises(UserError, match="built in place") as caught:
            identify(source("path", tree))
        command = str(caught.value.hint).partition(": ")[2]
        subprocess.run(command.split(), check=True)
        identify(source("path", tree))


def git(path: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", path, "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(toy: Path) -> Path:
    git(toy, "init", "-q", "-b", "main")
    git(toy, "add", "-A")
    git(toy, "commit", "-qm", "one")
    git(toy, "tag", "-a", "v6.1", "-m", "v6.1")
    edit(toy)
    git(toy, "commit", "-qam", "two")
    return toy


class TestGitTree:
    """A path that is a git work tree."""

    def test_commit_and_difference_are_known(self, repository: Path, source) -> None:  # type: ignore[no-untyped-def]
        clean = identify(source("path", repository))
        assert clean.commit == git(repository, "rev-parse", "HEAD")
        assert clean.diff_sha256 is None
        edit(repository, "again")
        dirty = identify(source("path", repository))
        assert dirty.commit == clean.commit
        assert dirty.diff_sha256
        assert dirty.key != clean.key
        (repository / "fs/new.c").write_text("int x;\n")
        assert identify(source("path", repository)).key not in {clean.key, dirty.key}

    def test_the_same_content_is_the_same_kernel_committed_or_not(self, repository: Path, source) -> None:  # type: ignore[no-untyped-def]
        edit(repository, "again")
        dirty = identify(source("path", repository))
        git(repository, "commit", "-qam", "three")
        assert identify(source("path", repository)).key == dirty.key

    @pytest.mark.parametrize("kept", [True, False])
    def test_a_lab_and_its_baselines_are_no_part_of_the_kernel(self, repository: Path, source, kept: bool) -> None:  # type: ignore[no-untyped-def]
        if not kept:
            shutil.rmtree(repository / ".git")
        first = identify(source("path", repository))
        (repository / "lab.yaml").write_text("name: patch\n")
        baseline = repository / "baselines/6.1/selftests/default.txt"
        baseline.parent.mkdir(parents=True)
        baseline.write_text("futex:run.sh pass=1\n")
        assert identify(source("path", repository)) == first
        (repository / "fs/lab.yaml").write_text("of a kernel's own\n")
        assert identify(source("path", repository)).key != first.key

    def test_the_users_repository_is_only_read(self, repository: Path, source) -> None:  # type: ignore[no-untyped-def]
        def state() -> dict[Path, bytes]:
            return {path: path.read_bytes() for path in (repository / ".git").rglob("*") if path.is_file()}

        (repository / "fs/new.c").write_text("int x;\n")
        before = state()
        identify(source("path", repository))
        assert state() == before

    def test_a_repository_without_a_commit_is_known_by_its_files(self, toy: Path, source) -> None:  # type: ignore[no-untyped-def]
        git(toy, "init", "-q")
        assert identify(source("path", toy)).commit is None

    def test_an_outer_repository_that_ignores_the_tree_says_nothing(self, toy: Path, source) -> None:  # type: ignore[no-untyped-def]
        git(toy.parent, "init", "-q")
        first = identify(source("path", toy))
        edit(toy)
        assert identify(source("path", toy)) != first


class TestGit:
    """A repository and a ref."""

    @pytest.mark.parametrize("ref", ["main", "refs/heads/main", "HEAD", "v6.1", "main~1", "full", "short"])
    def test_refs(self, repository: Path, source, ref: str) -> None:  # type: ignore[no-untyped-def]
        head = git(repository, "rev-parse", "HEAD")
        ref = {"full": head, "short": head[:10]}.get(ref, ref)
        opened = source("git", f"file://{repository}", ref=ref)
        assert identify(opened).commit == git(repository, "rev-parse", f"{ref}^{{commit}}")
        tree = bring(opened)
        assert ("toyfs changed" in (tree / "fs/toyfs.c").read_text()) == (ref not in {"v6.1", "main~1"})
        assert not (tree / ".git").exists()

    def test_history_is_not_fetched_for_a_branch(self, repository: Path, source, cache: Path) -> None:  # type: ignore[no-untyped-def]
        bring(source("git", f"file://{repository}", ref="main"))
        (bare,) = (cache / "git").glob("*.git")
        assert git(bare, "rev-list", "--all", "--objects", "FETCH_HEAD").count("\n") > 0
        assert (bare / "shallow").is_file()

    def test_a_moved_branch_is_followed(self, repository: Path, source) -> None:  # type: ignore[no-untyped-def]
        opened = source("git", f"file://{repository}", ref="main")
        first = identify(opened)
        edit(repository, "again")
        git(repository, "commit", "-qam", "three")
        assert identify(opened).key != first.key
        assert "again" in (bring(opened) / "fs/toyfs.c").read_text()

    def test_unknown_ref_names_the_nearest(self, repository: Path, source) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(UserError, match=r"no branch, tag or commit 'v6\.2'") as caught:
            identify(source("git", f"file://{repository}", ref="v6.2"))
        assert caught.value.hint == "nearest: v6.1"
        for unknown in ("0" * 40, "abcdef0123", "main~77"):
            with pytest.raises(UserError, match=r"no (branch, tag or )?commit"):
                identify(source("git", f"file://{repository}", ref=unknown))

    def test_unreachable_and_dangerous_urls(self, tmp_path: Path, source) -> None:  # type: ignore[no-untyped-def]
        for url in (f"file://{tmp_path}/none", f"ext::touch {tmp_path}/owned"):
            with pytest.raises(InfrastructureError, match="git cannot reach"):
                identify(source("git", url, ref="main"))
        for url, ref in (("--upload-pack=x", "main"), ("file:///x", "--all")):
            with pytest.raises(UserError, match="dash"):
                identify(source("git", url, ref=ref))
        assert not (tmp_path / "owned").exists()


@pytest.fixture
def tarball(toy: Path, tmp_path: Path) -> Path:
    path = tmp_path / "linux.tar.xz"
    with tarfile.open(path, "w:xz") as tar:
        tar.add(toy, arcname="linux-6.1-toy")
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


class TestTarball:
    """A local tarball, or one from a URL."""

    def test_a_local_one(self, tarball: Path, source, cache: Path) -> None:  # type: ignore[no-untyped-def]
        tree = bring(source("tarball", tarball, sha256=sha256(tarball)))
        assert (tree / "fs/toyfs.c").is_file()
        assert bring(source("tarball", tarball)) == tree
        assert [path.name for path in (cache / "sources").iterdir() if path.is_dir()] == [tree.name]

    def test_one_from_a_url_needs_nothing_but_its_hash_to_be_known(self, tarball: Path, source, server: str) -> None:  # type: ignore[no-untyped-def]
        opened = source("tarball", f"{server}/linux.tar.xz", sha256=sha256(tarball))
        tree = bring(opened)
        tarball.unlink()
        assert bring(opened) == tree

    def test_wrong_hashes(self, tarball: Path, source, server: str, cache: Path) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(UserError, match="has the wrong sha256"):
            identify(source("tarball", tarball, sha256="0" * 64))
        with pytest.raises(UserError, match=f"has the wrong sha256: it is {sha256(tarball)}"):
            bring(source("tarball", f"{server}/linux.tar.xz", sha256="0" * 64))
        assert [path for path in (cache / "downloads").iterdir() if path.is_dir()] == []

    def test_urls_that_cannot_be(self, source, server: str) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(UserError, match="needs a sha256"):
            identify(source("tarball", f"{server}/linux.tar.xz"))
        with pytest.raises(UserError, match="only http, https"):
            bring(source("tarball", "ftp://127.0.0.1/x", sha256="0" * 64))
        with pytest.raises(InfrastructureError, match="404"):
            bring(source("tarball", f"{server}/none", sha256="0" * 64))

    def test_what_is_no_tarball_of_a_kernel(self, tmp_path: Path, source) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(UserError, match="does not exist"):
            identify(source("tarball", tmp_path / "none.tar"))
        (tmp_path / "noise.tar").write_bytes(b"noise" * 1000)
        with pytest.raises(UserError, match=r"cannot unpack .*noise\.tar"):
            bring(source("tarball", tmp_path / "noise.tar"))
        with tarfile.open(tmp_path / "other.tar", "w") as tar:
            tar.add(Path(__file__), arcname="other/test.py")
        with pytest.raises(UserError, match="contains no kernel"):
            bring(source("tarball", tmp_path / "other.tar"))

    @pytest.mark.parametrize("name", ["../evil", "/evil", "linux/../../../evil", "link/evil"])
    def test_nothing_is_written_outside(self, tmp_path: Path, source, cache: Path, name: str) -> None:  # type: ignore[no-untyped-def]
        with tarfile.open(tmp_path / "evil.tar", "w") as tar:
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
            tar.addfile(link)
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"evil"))
        with pytest.raises(UserError):
            bring(source("tarball", tmp_path / "evil.tar"))
        assert not Path("/evil").exists()
        assert list(tmp_path.rglob("evil")) == []
        assert [path for path in (cache / "sources").iterdir() if path.is_dir()] == []


class TestPackage:
    """Debian's linux-source, with commands in place of apt's."""

    @pytest.fixture(autouse=True)
    def _no_installed_package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installed, self.commands = tmp_path / "installed", tmp_path / "bin"
        self.installed.mkdir()
        self.commands.mkdir()
        monkeypatch.setattr(package_source, "INSTALLED", self.installed)
        self.monkeypatch = monkeypatch

    def command(self, name: str, script: str) -> None:
        (self.commands / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.commands / name).chmod(0o755)
        self.monkeypatch.setenv("PATH", f"{self.commands}:/usr/bin:/bin:/usr/sbin")

    def test_an_installed_one_is_used_where_it_is(self, tarball: Path, source) -> None:  # type: ignore[no-untyped-def]
        shutil.copy(tarball, self.installed / "linux-source-6.1.tar.xz")
        assert (bring(source("package", "linux-source-6.1")) / "Kconfig").is_file()

    @pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not installed")
    def test_another_one_is_downloaded_and_unpacked_without_root(self, tarball: Path, tmp_path: Path, source) -> None:  # type: ignore[no-untyped-def]
        root = tmp_path / "deb"
        (root / "DEBIAN").mkdir(parents=True)
        (root / "usr/src").mkdir(parents=True)
        (root / "DEBIAN/control").write_text(
            "Package: linux-source-6.1\nVersion: 1\nArchitecture: all\nMaintainer: t\nDescription: t\n"
        )
        shutil.copy(tarball, root / "usr/src/linux-source-6.1.tar.xz")
        subprocess.run(
            ["dpkg-deb", "-Znone", "-b", root, tmp_path / "linux-source.deb"], check=True, capture_output=True
        )
        self.command("apt-cache", f"echo 'SHA256: {'a' * 64}'")
        self.command("apt-get", f'[ "$1 $2" = "download linux-source-6.1" ] && cp {tmp_path}/linux-source.deb .')
        tree = bring(source("package", "linux-source-6.1"))
        assert (tree / "Kconfig").is_file()
        self.command("apt-get", "exit 1")
        assert bring(source("package", "linux-source-6.1")) == tree

    def test_unknown_names(self, source) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(UserError, match="must be a Debian linux-source"):
            identify(source("package", "bash"))
        self.command("apt-get", "exit 1")
        self.command("dpkg-deb", "exit 1")
        self.command("apt-cache", 'if [ "$1" = pkgnames ]; then echo linux-source-6.1; else exit 100; fi')
        with pytest.raises(UserError, match=r"apt does not know a package linux-source-6\.2") as caught:
            identify(source("package", "linux-source-6.2"))
        assert "linux-source-6.1" in str(caught.value.hint)

    def test_a_failed_download_is_the_machines(self, source) -> None:  # type: ignore[no-untyped-def]
        self.command("apt-cache", f"echo 'SHA256: {'a' * 64}'")
        self.command("dpkg-deb", "exit 1")
        self.command("apt-get", "echo 'E: Could not resolve' >&2; exit 100")
        with pytest.raises(InfrastructureError, match="apt could not download"):
            bring(source("package", "linux-source-6.1"))

    def test_another_distribution_is_told_what_to_use(self, source) -> None:  # type: ignore[no-untyped-def]
        self.monkeypatch.setenv("PATH", str(self.commands))
        with pytest.raises(UserError, match="has no apt") as caught:
            identify(source("package", "linux-source-6.1"))
        assert "git" in str(caught.value.hint)
