from __future__ import annotations

import asyncio
import shutil
from email.message import EmailMessage
from pathlib import Path

import pytest

from kdevops.errors import UserError
from kdevops.files import manifest_of
from kdevops.kernel.patched import patched_tree
from kdevops.kernel.patches import apply_patches, load_patches
from kdevops.kernel.tree import Identity
from kdevops.progress import silent

OLD = "".join(f"line {number}\n" for number in range(1, 41))


def patch(old: str, new: str, file: str = "a.c") -> str:
    """A diff of the first line."""
    return f"--- a/{file}\n+++ b/{file}\n@@ -1,2 +1,2 @@\n-{old}\n+{new}\n line 2\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.c").write_text(OLD)
    (tree / "b.c").write_text(OLD)
    return tree


def apply(tree: Path, *paths: Path) -> None:
    asyncio.run(apply_patches(load_patches(tuple(map(str, paths))), tree))


def test_files_and_directories_apply_in_order(tmp_path: Path, tree: Path) -> None:
    (tmp_path / "first.diff").write_text(patch("line 1", "one"))
    (tmp_path / "d").mkdir()
    (tmp_path / "d/0002-b.patch").write_text(patch("two", "three"))
    (tmp_path / "d/0001-a.patch").write_text(patch("one", "two"))
    (tmp_path / "d/README").write_text("no patch")
    apply(tree, tmp_path / "first.diff", tmp_path / "d")
    assert (tree / "a.c").read_text().startswith("three\nline 2\n")


def mbox(path: Path, *mails: tuple[str, str], encoding: str = "8bit") -> Path:
    text = b""
    for subject, body in mails:
        mail = EmailMessage()
        mail["From"], mail["Subject"] = "a@example.org", subject
        mail.set_content(body, cte=encoding)
        text += b"From a@example.org Thu Jan  1 00:00:00 1970\n" + mail.as_bytes() + b"\n"
    path.write_bytes(text)
    return path


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_a_mailbox_applies_in_the_order_of_its_series(tmp_path: Path, tree: Path, encoding: str) -> None:
    box = mbox(
        tmp_path / "series.mbox",
        ("[PATCH 0/2] Cover letter", "words only\n"),
        ("[PATCH v3 2/2] then", "x = y\n---\n" + patch("one", "two")),
        ("[PATCH v3 1/2] first", "From here on\n---\n" + patch("line 1", "one")),
        ("Re: [PATCH v3 1/2] first", "> " + patch("line 1", "one").replace("\n", "\n> ")),
        encoding=encoding,
    )
    assert len(load_patches((str(box),))) == 2
    apply(tree, box)
    assert (tree / "a.c").read_text().startswith("two\n")


def test_failure_names_patch_file_and_hunk(tmp_path: Path, tree: Path) -> None:
    text = (
        patch("line 1", "one")
        + patch("line 1", "one", "b.c")
        + "@@ -29,3 +29,3 @@\n line 29\n-line thirty\n+line 30\n line 31\n"
    )
    (tmp_path / "bad.patch").write_text(text)
    with pytest.raises(
        UserError, match=r"bad\.patch does not apply: hunk 2 of b\.c, at line 29, does not match"
    ) as caught:
        apply(tree, tmp_path / "bad.patch")
    assert "rebase" in str(caught.value.hint)


def test_a_patch_that_is_in_already_is_told_so(tmp_path: Path, tree: Path) -> None:
    (tmp_path / "in.patch").write_text(patch("line one", "line 1"))
    with pytest.raises(UserError, match=r"in\.patch") as caught:
        apply(tree, tmp_path / "in.patch")
    assert "already contains it" in str(caught.value.hint)


@pytest.mark.parametrize("file", ["none.c", "../outside.c", "/etc/outside.c"])
def test_a_patch_for_a_file_that_is_not_there_or_outside(tmp_path: Path, tree: Path, file: str) -> None:
    (tmp_path / "outside.c").write_text(OLD)
    (tmp_path / "x.patch").write_text(patch("line 1", "one", file))
    with pytest.raises(UserError, match=r"x\.patch does not apply: "):
        apply(tree, tmp_path / "x.patch")
    assert (tmp_path / "outside.c").read_text() == OLD


def test_refusals_before_anything_is_touched(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "words.patch").write_text("not a diff\n")
    for path, said in [
        ("missing.patch", "does not exist"),
        ("empty", "contains no .*patch"),
        ("words.patch", "contains no patch"),
    ]:
        with pytest.raises(UserError, match=said):
            load_patches((str(tmp_path / path),))


def test_a_broken_patch_is_refused(tmp_path: Path, tree: Path) -> None:
    (tmp_path / "x.patch").write_text("--- a/a.c\n+++ b/a.c\n@@ -1,5 +1 @@\n-line 1\n")
    with pytest.raises(UserError, match="corrupt patch"):
        apply(tree, tmp_path / "x.patch")


class TestPatchedTree:
    """The copy with patches follows both the source and the patches, touching only what differs."""

    @pytest.fixture(autouse=True)
    def _setup(self, tmp_path: Path, tree: Path) -> None:
        self.tree, self.home = tree, tmp_path / "home"
        self.patch = tmp_path / "p.patch"
        (tree / ".git").mkdir()
        (tree / "sub").mkdir()
        (tree / "sub/link").symlink_to("../a.c")

    def make(self, text: str) -> Path:
        self.patch.write_text(text)
        patches = load_patches((str(self.patch),))
        identity = Identity(manifest_of(self.tree))
        return asyncio.run(patched_tree(self.tree, identity, patches, self.home, silent))

    def times(self) -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in (self.home / "tree").glob("*.c")}

    def test_the_source_is_left_alone(self) -> None:
        before = manifest_of(self.tree)
        copy = self.make(patch("line 1", "one"))
        assert (copy / "a.c").read_text().startswith("one\n")
        assert not (copy / ".git").exists()
        assert (copy / "sub/link").readlink() == Path("../a.c")
        assert manifest_of(self.tree) == before

    def test_the_same_again_touches_nothing(self) -> None:
        self.make(patch("line 1", "one"))
        before = self.times()
        self.make(patch("line 1", "one"))
        assert self.times() == before

    def test_an_edited_patch_touches_what_it_and_its_predecessor_touch(self) -> None:
        self.make(patch("line 1", "one"))
        before = self.times()
        copy = self.make(
            "--- a/b.c\n+++ /dev/null\n" + "@@ -1,40 +0,0 @@\n" + "".join(f"-{row}\n" for row in OLD.splitlines())
        )
        assert not (copy / "b.c").exists()
        assert (copy / "a.c").read_text() == OLD
        assert self.times()["a.c"] > before["a.c"]
        copy = self.make("--- /dev/null\n+++ b/new.c\n@@ -0,0 +1 @@\n+new\n")
        assert (copy / "b.c").read_text() == OLD
        assert self.times()["b.c"] > before["b.c"]
        self.make(patch("line 1", "one"))
        assert not (copy / "new.c").exists()

    def test_an_edited_source_is_followed(self) -> None:
        self.make(patch("line 1", "one"))
        (self.tree / "b.c").write_text("other\n")
        shutil.rmtree(self.tree / "sub")
        copy = self.make(patch("line 1", "one"))
        assert (copy / "b.c").read_text() == "other\n"
        assert not (copy / "sub/link").is_symlink()
        assert (copy / "a.c").read_text().startswith("one\n")

    def test_a_patch_that_failed_leaves_no_trace_in_the_next_try(self) -> None:
        with pytest.raises(UserError):
            self.make(patch("line 1", "one") + patch("nonsense", "two", "b.c"))
        copy = self.make(patch("line 1", "uno"))
        assert (copy / "a.c").read_text().startswith("uno\n")
        assert (copy / "b.c").read_text() == OLD

    def test_a_kill_between_patches_is_mended(self) -> None:
        copy = self.make(patch("line 1", "one"))
        (self.home / "holds").unlink()
        (copy / "b.c").write_text("half")
        self.make(patch("line 1", "one"))
        assert (copy / "a.c").read_text().startswith("one\n")
        assert (copy / "b.c").read_text() == OLD
