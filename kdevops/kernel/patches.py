"""Patches from files, directories and mailboxes, read in order and applied with git apply."""

from __future__ import annotations

import contextlib
import hashlib
import mailbox
import re
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from kdevops.errors import CommandError, UserError
from kdevops.process import run

MAX_BYTES = 64 << 20
"""Limit for one patch file, about the size of the biggest patch between two kernel releases."""
_DIFF = re.compile(rb"^(diff --git |--- \S)", re.MULTILINE)
_NUMBER = re.compile(r"\[[^]]*\b(\d+)/(\d+)\b[^]]*\]")
_FAILED = re.compile(r"^error: patch failed: (?P<file>.+):(?P<line>\d+)$", re.MULTILINE)
_HUNK = re.compile(rb"^@@ -(\d+)")
_OLD_FILE = re.compile(rb"^--- (?:a/)?([^\t\n]+)")


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch: `name` is its file, plus the message's number in a mailbox; `text` holds a unified diff."""

    name: str
    text: bytes

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the text."""
        return hashlib.sha256(self.text).hexdigest()


def load_patches(paths: tuple[str, ...]) -> tuple[Patch, ...]:
    """Read files, directories (their *.patch, sorted by name) and mailboxes, in the order of `paths`.

    Raises UserError for a path that does not exist, a directory without patches, and a file without a diff.
    """
    found: list[Patch] = []
    for path in map(Path, paths):
        if path.is_dir():
            files = sorted(path.glob("*.patch"))
            if not files:
                raise UserError(f"the directory {path} contains no *.patch files")
        elif path.is_file():
            files = [path]
        else:
            raise UserError(f"patch {path} does not exist")
        for file in files:
            found += _load_file(file)
    return tuple(found)


async def apply_patches(patches: tuple[Patch, ...], tree: Path) -> None:
    """Apply to our own tree. Raises UserError naming the patch, the file and the failed hunk, and leaves the tree unusable."""
    for patch in patches:
        try:
            await _git_apply(patch, tree)
        except CommandError as error:
            if error.returncode is None or error.returncode < 0:
                raise
            raise await _refusal(patch, tree, error.output) from error


def _load_file(path: Path) -> list[Patch]:
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"patch {path} is larger than {MAX_BYTES >> 20} MiB")
    text = path.read_bytes()
    patches = _load_mailbox(path) if text.startswith(b"From ") else [Patch(str(path), text)]
    patches = [patch for patch in patches if _DIFF.search(patch.text)]
    if not patches:
        raise UserError(f"{path} contains no patch", hint="use a unified diff, as written by git format-patch")
    return patches


def _load_mailbox(path: Path) -> list[Patch]:
    """The messages sorted by their number in the series ("[PATCH 2/5]") if numbers are unique, else in file order."""
    numbered: list[tuple[int, Patch]] = []
    with contextlib.closing(mailbox.mbox(path, create=False)) as box:
        for place, message in enumerate(box, start=1):
            patch = Patch(f"{path} (message {place})", _text_of(message))
            if _DIFF.search(patch.text):
                match = _NUMBER.search(str(message.get("Subject", "")))
                numbered.append((int(match[1]) if match else 0, patch))
    if len({number for number, _ in numbered}) == len(numbered):
        numbered.sort(key=lambda pair: pair[0])
    return [patch for _, patch in numbered]


def _text_of(message: Message) -> bytes:
    """The decoded text parts of a message, with LF line ends."""
    parts = [part.get_payload(decode=True) for part in message.walk() if part.get_content_maintype() == "text"]
    return b"".join(part for part in parts if isinstance(part, bytes)).replace(b"\r\n", b"\n")


async def _git_apply(patch: Patch, tree: Path, *options: str) -> None:
    # The tree is not a repository; without the ceiling git would find one above it and skip the files as "outside".
    env = {"GIT_CEILING_DIRECTORIES": str(tree.parent), "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"}
    argv = ["git", "apply", "-p1", "--whitespace=nowarn", *options, "-"]
    await run(argv, cwd=tree, env=env, stdin=patch.text, timeout=300)


async def _refusal(patch: Patch, tree: Path, said: str) -> UserError:
    try:
        await _git_apply(patch, tree, "--reverse", "--check")
        hint = "this source already contains it: remove it from the list"
    except CommandError:
        hint = "rebase it onto this source, or use the source it was made for"
    message = f"patch {patch.name} does not apply"
    if match := _FAILED.search(said):
        hunk = _hunk_number(patch.text, match["file"], int(match["line"]))
        return UserError(
            f"{message}: hunk {hunk} of {match['file']}, at line {match['line']}, does not match", hint=hint
        )
    return UserError(f"{message}: {said.partition(chr(10))[0].removeprefix('error: ')}", hint=hint)


def _hunk_number(text: bytes, file: str, line: int) -> int | str:
    """Number of the hunk of `file`, from 1, that begins at `line` of the old version; "?" if there is no such hunk."""
    current, number = b"", 0
    for row in text.split(b"\n"):
        if match := _OLD_FILE.match(row):
            current, number = match[1], 0
        elif match := _HUNK.match(row):
            number += 1
            if current == file.encode() and int(match[1]) == line:
                return number
    return "?"
