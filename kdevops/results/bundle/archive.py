"""The file of a bundle: a zip archive of which a manifest names each member with its size and hash.

The same content gives the same bytes. A reader trusts nothing in it: sizes are bounded and counted as they are read,
names stay below a directory, nothing is a link, and what is not as the manifest says is an error.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from stat import S_IFMT, S_IFREG, S_ISREG
from types import TracebackType
from typing import Any, BinaryIO, Self

import kdevops
from kdevops.errors import UserError
from kdevops.text import clean

FORMAT = "kdevops results bundle"
VERSION = 1
MANIFEST = "manifest.json"
MAX_MEMBERS = 300_000
MAX_BYTES = 64 << 30
"""Bytes of all members, unpacked."""
MAX_TEXT = 32 << 20
"""Bytes of a member that is read into memory as a whole."""
MAX_LINE_BYTES = 64 << 20
_MAX_DIRECTORY = 96 << 20
_FREE_BYTES, _MAX_RATIO = 256 << 20, 200
"""How many bytes any bundle may unpack to, and how many times its own size beyond that."""
_CHUNK = 1 << 20
_PARTS, _PART, _NAME = 24, 200, 1000
_END, _END64, _LOCATOR = b"PK\5\6", b"PK\6\6", b"PK\6\7"


def is_plain(name: str) -> bool:
    """Whether a name is a relative path that stays below its directory, and can be printed."""
    parts = name.split("/")
    return (
        len(parts) <= _PARTS
        and "\\" not in name
        and clean(name) == name
        and len(name.encode()) <= _NAME
        and all(part not in {"", ".", ".."} and len(part.encode()) <= _PART for part in parts)
    )


def allowed_bytes(size: int) -> int:
    """The most bytes that a bundle of this size may unpack to; more is a decompression bomb."""
    return min(MAX_BYTES, _FREE_BYTES + _MAX_RATIO * size)


class Writer:
    """Writes a bundle to a file that is open; `close` writes the manifest."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file, "w")
        self._files: dict[str, tuple[int, str]] = {}

    def add(self, name: str, content: Iterable[bytes]) -> None:
        """Add a member. The names must be plain, and no two the same."""
        size, digest = 0, hashlib.sha256()
        with self._zip.open(_info(name), "w", force_zip64=True) as member:
            for chunk in content:
                size += len(chunk)
                digest.update(chunk)
                member.write(chunk)
        self._files[name] = size, digest.hexdigest()

    def abandon(self) -> None:
        """Write nothing more: without this, the end of the archive would be tried once more when the object goes."""
        self._zip.fp = None

    def close(self, runs: Iterable[Mapping[str, object]]) -> None:
        """End the bundle; `runs` says in short what is in it. Raises UserError if nobody could read it."""
        head = {
            "format": FORMAT,
            "version": VERSION,
            "kdevops": kdevops.__version__,
            "runs": list(runs),
            "files": self._files,
        }
        data = json.dumps(head, sort_keys=True, indent=1).encode()
        self._zip.writestr(_info(MANIFEST), data)
        file = self._zip.fp
        size = file.tell() if file else 0
        unpacked = sum(each for each, _ in self._files.values())
        if len(self._files) >= MAX_MEMBERS or unpacked > allowed_bytes(size):
            raise UserError(
                f"a bundle cannot have {len(self._files)} files of {unpacked >> 20} MiB",
                hint="export fewer runs at once, or remove their output first: kdevops results remove RUN",
            )
        self._zip.close()


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)  # of 1980, always
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = (S_IFREG | 0o600) << 16
    return info


class Archive:
    """A bundle that is read. A context manager.

    Raises UserError, from any method, for a file that is no bundle, is damaged, or tries to do harm.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if not S_ISREG(path.stat().st_mode):
                raise UserError(f"{path} is not a file")
            self._file = path.open("rb")
        except OSError as error:
            raise UserError(f"cannot read the bundle {path}: {error.strerror or error}") from error
        try:
            with self._understood():
                self._open()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> None:
        size = self.path.stat().st_size
        _check_directory(self._file, size)
        self._zip = zipfile.ZipFile(self._file)
        members = self._zip.infolist()
        self._members = {member.filename: member for member in members}
        if len(self._members) != len(members):
            raise ValueError("two of its files have the same name")
        for member in members:
            _check_member(member)
        if MANIFEST not in self._members:
            raise ValueError("it has no manifest")
        if (listed := self._members[MANIFEST].file_size) > _MAX_DIRECTORY:
            raise ValueError("its manifest is too long")
        with self._zip.open(MANIFEST) as source:
            text = source.read(listed + 1)
        self.files = _files(json.loads(text))
        if self.files.keys() != self._members.keys() - {MANIFEST}:
            raise ValueError("it does not have the files that its manifest names")
        if folders := {part for name in self.files for part in _folders(name)} & self.files.keys():
            raise ValueError(f"{min(folders)} is a file and a directory")
        self.unpacked = sum(each for each, _ in self.files.values())
        if self.unpacked > allowed_bytes(size):
            raise ValueError(f"its files would take {self.unpacked >> 20} MiB")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def text(self, name: str) -> bytes:
        """A member as a whole."""
        with self._understood():
            if self.files[name][0] > MAX_TEXT:
                raise ValueError(f"{name} is too long")
            return b"".join(self._chunks(name))

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a member, without their ends."""
        with self._understood():
            rest = b""
            for chunk in self._chunks(name):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
                if len(rest) > MAX_LINE_BYTES:
                    raise ValueError(f"a line of {name} is too long")
            if rest:
                raise ValueError(f"the last line of {name} has no end")

    def copy(self, name: str, target: Path) -> None:
        """Write a member to a new file. Raises OSError as writing does."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file, self._understood():
            for chunk in self._chunks(name):
                _write(file, chunk)

    def _chunks(self, name: str) -> Iterator[bytes]:
        left, wanted = self.files[name]
        digest = hashlib.sha256()
        with self._zip.open(self._members[name]) as source:
            while chunk := source.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    break
                digest.update(chunk)
                yield chunk
        if left or digest.hexdigest() != wanted:
            raise ValueError(f"{name} is not as it was written")

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except _WriteError as error:
            raise error.cause from error
        except (
            zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, LookupError, TypeError, AttributeError,
            ArithmeticError, NotImplementedError, RuntimeError, OSError,
        ) as error:  # fmt: skip
            raise damaged(self.path, error) from error


def damaged(path: Path, error: object) -> UserError:
    """The error for a bundle that is not what it should be."""
    return UserError(
        f"{path} is not a bundle of results, or is damaged: {clean(str(error), 300)}",
        hint="copy it again, or export it again: kdevops results export RUN --bundle FILE",
    )


class _WriteError(Exception):
    """Writing failed, which is nothing that the bundle can be blamed for."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause)
        self.cause = cause


def _write(file: BinaryIO, chunk: bytes) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        raise _WriteError(error) from error


def _check_directory(file: BinaryIO, size: int) -> None:
    """Raise ValueError if this is no zip archive that we wrote, or its list of members takes too much memory to read."""
    file.seek(max(0, size - 98))
    tail = file.read(98)
    if tail[-22:-18] != _END:
        file.seek(0)
        raise ValueError("its end is missing" if file.read(2) == b"PK" else "it is not a zip archive")
    length, comment = struct.unpack("<4x2x2x2x2xL4xH", tail[-22:])
    if tail[-42:-38] == _LOCATOR:
        if tail[:4] != _END64:
            raise ValueError("its list of files cannot be found")
        (length,) = struct.unpack("<40xQ8x", tail[:56])
    if comment or length > _MAX_DIRECTORY:
        raise ValueError("its list of files is too long")
    file.seek(0)


def _check_member(member: zipfile.ZipInfo) -> None:
    if not is_plain(member.filename):
        raise ValueError(f"a file has the name {member.filename[:100]!a}")
    if S_IFMT(member.external_attr >> 16) not in {0, S_IFREG}:
        raise ValueError(f"{member.filename} is a link or a device")
    if member.flag_bits & 1:
        raise ValueError(f"{member.filename} is encrypted")
    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise ValueError(f"{member.filename} is packed in a way that we do not use")


def _files(head: Any) -> dict[str, tuple[int, str]]:
    """The members by name, with size and hash. Raises UserError for a newer format, ValueError for anything else."""
    if not isinstance(head, dict) or head.get("format") != FORMAT or not isinstance(head.get("version"), int):
        raise ValueError("its manifest is not that of a bundle")
    if (version := head["version"]) > VERSION:
        raise UserError(
            f"the bundle was written by a newer kdevops (format {version}, this one knows {VERSION})",
            hint="use that newer kdevops here, too",
        )
    found = {}
    for name, (size, digest) in head["files"].items():
        if type(size) is not int or not 0 <= size <= MAX_BYTES or not isinstance(digest, str):
            raise ValueError(f"its manifest tells no size and hash of {name[:100]!a}")
        found[name] = size, digest
    if len(found) > MAX_MEMBERS:
        raise ValueError("it has too many files")
    return found


def _folders(name: str) -> Iterator[str]:
    parts = name.split("/")
    for number in range(1, len(parts)):
        yield "/".join(parts[:number])
