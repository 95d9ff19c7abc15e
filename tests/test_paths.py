import errno
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops import paths
from kdevops.files import write_atomic
from kdevops.paths import cache_dir, data_dir, socket_dir, state_dir


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KDEVOPS_STATE", "KDEVOPS_CACHE", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("function", "ours", "xdg", "fallback"),
    [
        (state_dir, "KDEVOPS_STATE", "XDG_STATE_HOME", ".local/state/kdevops"),
        (cache_dir, "KDEVOPS_CACHE", "XDG_CACHE_HOME", ".cache/kdevops"),
    ],
)
def test_directories_follow_the_environment(monkeypatch, tmp_path, function, ours, xdg, fallback) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert function() == tmp_path / fallback
    monkeypatch.setenv(xdg, "relative")
    assert function() == tmp_path / fallback, "the specification says to ignore a relative one"
    monkeypatch.setenv(xdg, "/somewhere")
    assert function() == Path("/somewhere/kdevops")
    monkeypatch.setenv(ours, "here")
    assert function() == tmp_path / "here"


def test_data_is_found_in_a_checkout() -> None:
    assert (data_dir("labs") / "demo.yaml").is_file()


def test_data_is_found_in_an_installed_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "site-packages/kdevops"
    (tmp_path / "site-packages/labs").mkdir(parents=True)  # another distribution's
    monkeypatch.setattr(paths, "__file__", str(package / "paths.py"))
    assert data_dir("labs") == package / "data/labs"


def test_sockets_lie_in_the_runtime_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    short = Path(f"/tmp/kd-test-{os.getpid()}")
    short.mkdir()
    try:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
        assert socket_dir() == short / "kdevops"
        assert stat.S_IMODE((short / "kdevops").stat().st_mode) == 0o700
        (short / "kdevops").rmdir()
    finally:
        short.rmdir()


def test_sockets_have_short_names_whatever_the_directories_are_called(monkeypatch, tmp_path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert len(str(socket_dir())) < 60


def test_a_planted_socket_directory_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    base = Path(f"/tmp/kd-test-{os.getpid()}")
    base.mkdir()
    try:
        monkeypatch.setattr("tempfile.tempdir", str(base))
        (base / f"kdevops-{os.getuid()}").symlink_to(tmp_path)
        with pytest.raises(PermissionError, match="another user may have created it"):
            socket_dir()
        (base / f"kdevops-{os.getuid()}").unlink()
        (base / f"kdevops-{os.getuid()}").mkdir(mode=0o755)
        with pytest.raises(PermissionError, match="not private"):
            socket_dir()
        (base / f"kdevops-{os.getuid()}").rmdir()
    finally:
        base.rmdir()


@given(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.binary()))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, content: str | bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "written"
    write_atomic(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)


def test_directories_are_made_and_the_mode_is_set(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a/b/key", "secret", mode=0o600)
    assert stat.S_IMODE((tmp_path / "a/b/key").stat().st_mode) == 0o600


@pytest.mark.parametrize("step", ["fsync", "fchmod"])
def test_a_failure_at_any_step_leaves_the_old_content_and_nothing_else(monkeypatch, tmp_path, step) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_never_sees_a_part(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = {"a" * 100_000, "b" * 50_000}
    write_atomic(path, "a" * 100_000)
    seen = set()
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for content in [*contents] * 20:
        write_atomic(path, content)
    ended.set()
    reader.join()
    assert seen
    assert seen <= contents
