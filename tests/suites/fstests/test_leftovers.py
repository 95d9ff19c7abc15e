"""What tests leave behind: the shell scripts are run here, against directories of ours."""

import subprocess
from pathlib import Path

import pytest

from kdevops.guest.archive import unpack
from kdevops.suites.fstests import leftovers
from kdevops.suites.fstests.leftovers import MAX_FILES, keep_command, record_command, sweep_command

LIMIT = 1000


def run(argv: tuple[str, ...], archive: Path) -> subprocess.CompletedProcess[bytes]:
    with archive.open("wb") as file:
        return subprocess.run(argv, stdout=file, stderr=subprocess.PIPE, check=False)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    directory = tmp_path / "results of $(host)'s" / "xfs_crc"
    for name, text in {
        "generic/001.full": "all",
        "generic/001.out.bad": "bad\n",
        "generic/001.core.1234": "core",
        "generic/0010.full": "of another test",
        "check.time": "generic/001 5\n",
        "check.log": "Ran: generic/001\n",
        "result.xml": "<testsuite/>",
    }.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    (directory / "generic/001.dmesg").symlink_to("/etc/passwd")
    (directory / "generic/001.d").mkdir()
    return directory


def test_the_files_of_one_test_and_only_they(results: Path, tmp_path: Path) -> None:
    archive, kept = tmp_path / "tar", tmp_path / "kept"
    done = run(keep_command(str(results), "generic/001", LIMIT), archive)
    assert (done.returncode, done.stderr) == (0, b"")
    expected = [kept / "generic" / name for name in ("001.core.1234", "001.full", "001.out.bad")]
    assert sorted(unpack(archive, kept, LIMIT)) == expected
    assert [path.read_text() for path in sorted((kept / "generic").iterdir())] == ["core", "all", "bad\n"]


def test_a_file_of_gibibytes_is_cut_and_says_so_and_the_original_is_not_touched(results: Path, tmp_path: Path) -> None:
    full = results / "generic/001.full"
    with full.open("r+b") as file:
        file.truncate(5 << 30)
    archive, kept = tmp_path / "tar", tmp_path / "kept"
    done = run(keep_command(str(results), "generic/001", LIMIT), archive)
    assert (done.returncode, done.stderr) == (0, b"")
    assert archive.stat().st_size < 64 << 10
    unpack(archive, kept, LIMIT)
    assert full.stat().st_size == 5 << 30
    text = (kept / "generic/001.full").read_bytes()
    assert text == b"all".ljust(LIMIT - 100, b"\0") + b"\n[kdevops: the first 900 bytes of 5368709120]\n"
    assert (kept / "generic/001.out.bad").read_text() == "bad\n"


def test_a_test_that_left_nothing_gives_an_empty_archive(results: Path, tmp_path: Path) -> None:
    archive = tmp_path / "tar"
    assert run(keep_command(str(results), "generic/404", LIMIT), archive).returncode == 0
    assert unpack(archive, tmp_path / "kept", LIMIT) == []


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert run(keep_command(str(tmp_path / "no"), "generic/001", LIMIT), tmp_path / "tar").returncode != 0


def test_not_more_than_some_files(results: Path, tmp_path: Path) -> None:
    for number in range(3 * MAX_FILES):
        (results / f"generic/001.core.{number}").write_text("")
    archive = tmp_path / "tar"
    run(keep_command(str(results), "generic/001", LIMIT), archive)
    kept = unpack(archive, tmp_path / "kept", LIMIT)
    assert MAX_FILES - 2 <= len(kept) <= MAX_FILES
    assert tmp_path / "kept/generic/001.out.bad" in kept


def test_the_record_of_a_section(results: Path, tmp_path: Path) -> None:
    (results / "check.log").unlink()
    archive = tmp_path / "tar"
    assert run(record_command(str(results), LIMIT), archive).returncode == 0
    kept = unpack(archive, tmp_path, LIMIT)
    assert [path.name for path in kept] == ["check.time", "result.xml"]


def sweep(note: Path, *usual: str) -> list[str]:
    done = subprocess.run(sweep_command(str(note), usual), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "ROOT_FREE_PERCENT", 0)
    monkeypatch.setattr(leftovers, "ROOT_FREE_MIB", 0)


@pytest.mark.usefixtures("roomy")
def test_a_guest_that_has_no_directory_for_notes_gets_one(tmp_path: Path) -> None:
    assert sweep(tmp_path / "run/kdevops/note") == []
    assert (tmp_path / "run/kdevops/note").exists()


@pytest.mark.usefixtures("roomy")
def test_what_was_there_at_first_is_not_left_behind(tmp_path: Path) -> None:
    note = tmp_path / "note"
    assert sweep(note) == []
    assert " on /\n" in note.read_text()
    assert sweep(note) == []


@pytest.mark.usefixtures("roomy")
def test_what_came_is_told_but_for_what_is_usual(tmp_path: Path) -> None:
    note = tmp_path / "note"
    sweep(note)
    root = next(line for line in note.read_text().splitlines() if line.endswith(" on /"))
    note.write_text(
        "\n".join(line for line in note.read_text().splitlines() if line != root) + "\nleft mounted: x on y\n"
    )
    assert sweep(note) == [root]
    assert sweep(note, "/mnt/test", "/") == []


def test_a_full_root_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "ROOT_FREE_MIB", 1 << 40)
    (told,) = sweep(tmp_path / "note")
    assert told.startswith("the root file system is full: ")


@pytest.mark.usefixtures("roomy")
def test_a_note_that_cannot_be_written_is_told() -> None:
    done = subprocess.run(sweep_command("/proc/note", []), capture_output=True, text=True, check=True)
    assert done.stdout == "no file can be made in the guest: /proc/note\n"
