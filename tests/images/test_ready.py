import asyncio
import contextlib
import hashlib
import struct
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops import download
from kdevops.errors import InfrastructureError, UserError
from kdevops.images import ready
from kdevops.images.disk import boot_record
from kdevops.images.image import BaseImage, ensure_image
from kdevops.images.ready import image_format
from kdevops.lab.model import Image
from kdevops.progress import Progress

DISK = boot_record(4 << 20, 0xCAFE, b"something else") + bytes(1 << 20)
SHA256 = hashlib.sha256(DISK).hexdigest()


def ensure(tmp_path: Path, image: Image, news: list[Progress] | None = None) -> BaseImage:
    report = news.append if news is not None else lambda _: None
    return asyncio.run(ensure_image(image, cache=tmp_path / "cache", report=report, lab_dir=tmp_path))


def qcow2(*, version: int = 3, backing: int = 0, incompatible: int = 0) -> bytes:
    header = struct.pack(">4sIQI", b"QFI\xfb", version, backing, 0).ljust(72, b"\0") + struct.pack(">Q", incompatible)
    return header.ljust(1024, b"\0")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    directory = tmp_path / "www"
    directory.mkdir()
    (directory / "disk.raw").write_bytes(DISK)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory))) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}/disk.raw"
        http.shutdown()
        thread.join()


def test_a_raw_file_is_used_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "disk.raw").write_bytes(DISK)
    image = ensure(tmp_path, Image(path=Path("disk.raw")))
    assert image.path == tmp_path / "disk.raw"
    assert (image.format, image.root, image.init) == ("raw", "PARTUUID=0000cafe-01", None)
    assert image.record["sha256"] == SHA256
    assert image.key == SHA256[:32]
    assert image.busybox is None
    assert not image.ours
    assert {"systemd.mask=sshd.service", "fstab=no"} <= set(image.cmdline)


def test_changed_content_changes_the_key(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(DISK)
    before = ensure(tmp_path, Image(path=path))
    path.write_bytes(DISK + bytes(512))
    assert ensure(tmp_path, Image(path=path)).key != before.key


def test_an_image_that_we_made_elsewhere_knows_its_init(tmp_path: Path) -> None:
    for name, init in (("kdevops", "/sbin/kdevops-init"), ("systemd", None)):
        path = tmp_path / f"{name}.raw"
        path.write_bytes(boot_record(4 << 20, 1, f"kdevops image, init: {name}\n".encode()))
        image = ensure(tmp_path, Image(path=path))
        assert image.ours
        assert image.cmdline == ("root=PARTUUID=00000001-01", "rw", *((f"init={init}",) if init else ()))


def test_a_qcow2_image(tmp_path: Path) -> None:
    (tmp_path / "disk.raw").write_bytes(DISK)
    argv = ["qemu-img", "convert", "-O", "qcow2", tmp_path / "disk.raw", tmp_path / "disk.qcow2"]
    subprocess.run(argv, check=True)
    image = ensure(tmp_path, Image(path=tmp_path / "disk.qcow2"))
    assert (image.format, image.root) == ("qcow2", "PARTUUID=0000cafe-01")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (qcow2(backing=512), "has a backing file"),
        (qcow2(incompatible=4), "has an external data file"),
        (qcow2(version=1), "unknown version 1"),
        (qcow2()[:50], "truncated"),
        (b"\x1f\x8b\x08", "compressed with gzip"),
        (b"KDMV", "VMDK"),
        (b"hello", "no Linux partition"),
    ],
)
def test_what_is_no_usable_image(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "disk").write_bytes(content)
    with pytest.raises(UserError, match=message):
        ensure(tmp_path, Image(path=Path("disk")))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file: .*/disk.raw"):
        ensure(tmp_path, Image(path=Path("disk.raw")))


@given(st.binary(max_size=200))
def test_any_header_is_survived(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-header"
    for data in (content, b"QFI\xfb" + content):
        path.write_bytes(data)
        with contextlib.suppress(UserError):
            assert image_format(path) in {"raw", "qcow2"}


def test_a_url_is_downloaded_once(tmp_path: Path, server: str) -> None:
    news: list[Progress] = []
    image = ensure(tmp_path, Image(url=server, sha256=SHA256), news)
    assert image.path.read_bytes() == DISK
    assert any(each.fraction == 1.0 and "downloading" in each.detail for each in news)
    (tmp_path / "www/disk.raw").unlink()
    assert ensure(tmp_path, Image(url=server, sha256=SHA256)) == image


def test_a_file_url(tmp_path: Path) -> None:
    (tmp_path / "disk.raw").write_bytes(DISK)
    image = ensure(tmp_path, Image(url=(tmp_path / "disk.raw").as_uri(), sha256=SHA256))
    assert image.root == "PARTUUID=0000cafe-01"


def test_a_wrong_hash_keeps_nothing(tmp_path: Path, server: str) -> None:
    wrong = "0" * 64
    with pytest.raises(UserError, match=f"wrong sha256: it is {SHA256}, expected {wrong}"):
        ensure(tmp_path, Image(url=server, sha256=wrong))
    assert [path for path in (tmp_path / "cache/images").iterdir() if path.suffix != ".lock"] == []


@pytest.mark.parametrize("url", ["ftp://mirror/x", "disk.raw", "gopher:x"])
def test_a_url_that_cannot_be_downloaded(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match="only http, https, file URLs"):
        ensure(tmp_path, Image(url=url, sha256=SHA256))


def test_a_server_that_has_it_not(tmp_path: Path, server: str) -> None:
    with pytest.raises(InfrastructureError, match="404"):
        ensure(tmp_path, Image(url=f"{server}.gone", sha256=SHA256))


def test_a_download_without_end_is_given_up(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "MAX_DOWNLOAD", 1000)
    with pytest.raises(InfrastructureError, match="too big or too slow"):
        ensure(tmp_path, Image(url=server, sha256=SHA256))


def test_a_download_past_its_deadline_is_given_up(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "DEADLINE", 0.0)
    with pytest.raises(InfrastructureError, match="too big or too slow"):
        ensure(tmp_path, Image(url=server, sha256=SHA256))
