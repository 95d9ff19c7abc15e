"""A bundle that is damaged, or that somebody wrote to do harm: an error in words, and nothing of it in the store."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdevops.errors import InfrastructureError, UserError
from kdevops.results.bundle import archive
from kdevops.results.bundle.archive import MANIFEST, Archive
from kdevops.results.check import problems
from kdevops.results.store import Store
from tests.results.bundle.bundled import IMPORTED_RUN, UNDER_TEST, exported, filled, imported

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "bundle"
    with filled(path.parent / "state") as store:
        exported(store, path, UNDER_TEST, IMPORTED_RUN)
    return path.read_bytes()


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "away") as store:
        yield store


@pytest.fixture
def any_away(good: bytes, tmp_path: Path, store_url: str) -> Iterator[Store]:
    """One in a file, or of a team."""
    with Store(tmp_path / "away") as store:
        yield store


def members(path: Path) -> Members:
    with zipfile.ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist() if name != MANIFEST}


def write(path: Path, content: Members, **head: Any) -> None:
    """A bundle whose manifest is right, but for `head`."""
    files = {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in content.items()}
    told = {"format": archive.FORMAT, "version": archive.VERSION, "runs": [], "files": files} | head
    with zipfile.ZipFile(path, "w") as opened:
        for name, data in content.items():
            opened.writestr(name, data)
        opened.writestr(MANIFEST, json.dumps(told))


def refused(away: Store, path: Path, said: str) -> None:
    with pytest.raises(UserError) as told:
        imported(away, path)
    assert said in told.value.message
    assert told.value.message.isprintable()
    assert told.value.hint
    nothing(away)


def nothing(away: Store) -> None:
    assert away.runs() == ()
    assert away.query("SELECT count(*) FROM planned") == [(0,)]
    runs = away.path.parent / "runs"
    assert not runs.exists() or list(runs.iterdir()) == []
    assert problems(away) == []


def changed(content: Members, name: str, /, **values: Any) -> Members:
    """With these fields of the first line of a member."""
    first, end, rest = content[name].partition(b"\n")
    data = json.loads(first)
    for path, value in values.items():
        where = data
        *above, last = path.split("__")
        for part in above:
            where = where[part]
        if value is ...:
            del where[last]
        else:
            where[last] = value
    return content | {name: json.dumps(data).encode() + end + rest}


RUN, TESTS, JOURNAL, EVIDENCE = (
    f"runs/0/{name}" for name in ("run.json", "tests.jsonl", "journal.jsonl", "evidence.json")
)
Change = Callable[[Members], Members]
CHANGES: dict[str, tuple[Change, str]] = {
    "another kind of run": (lambda m: changed(m, RUN, state="running"), "cannot be"),
    "no state": (lambda m: changed(m, RUN, state="x"), "state"),
    "a field that is not known": (lambda m: changed(m, RUN, more=1), "more"),
    "a lab elsewhere": (lambda m: changed(m, RUN, lab="../../x"), "not the name of a lab"),
    "a lab with an escape": (lambda m: changed(m, RUN, lab="x\x1b[31m"), "not the name of a lab"),
    "no moment": (lambda m: changed(m, RUN, created="yesterday"), "created"),
    "an end before the beginning": (lambda m: changed(m, RUN, ended="1999-01-01T00:00:00.000+00:00"), "before it began"),
    "no record": (lambda m: changed(m, RUN, record=...), "record"),
    "no kernel": (lambda m: changed(m, RUN, record__kernel=...), "kernel"),
    "a kernel that is a list": (lambda m: changed(m, RUN, record__kernel__release=[]), "which kernel ran"),
    "a number without end": (
        lambda m: m | {RUN: m[RUN].replace(b'"version":', b'"x":').replace(b'"count":2', b'"count":1e999')}, "without end",
    ),
    "a number that is too large": (lambda m: changed(m, RUN, record__x=10**30), "too large"),
    "a deep record": (lambda m: m | {RUN: m[RUN].replace(b'"count":2', b'"count":' + b"[" * 99 + b"]" * 99)}, "deeply"),
    "a very deep record": (lambda m: m | {RUN: m[RUN].replace(b'"count":2', b'"count":' + b"[" * 99999)}, "recursion"),
    "compared with itself": (lambda m: changed(m, RUN, compared_with=0), "does not stand before it"),
    "decides what comes later": (lambda m: changed(m, RUN, decides=3), "does not stand before it"),
    "decides a rerun": (lambda m: changed(m, "runs/3/run.json", decides=2), "cannot be decided"),
    "compared with a rerun": (lambda m: changed(m, "runs/4/run.json", compared_with=3), "compared with a rerun"),
    "no tests": (lambda m: m | {TESTS: b""}, "no tests"),
    "a test twice": (lambda m: m | {TESTS: m[TESTS] * 2}, "a test twice"),
    "an empty line": (lambda m: m | {TESTS: m[TESTS] + b"\n"}, "Invalid JSON"),
    "a line without an end": (lambda m: m | {TESTS: m[TESTS][:-1]}, "has no end"),
    "a test with an escape": (lambda m: changed(m, TESTS, name="x\x1b[31m"), "not a line that can be printed"),
    "a reason with an escape": (lambda m: changed(m, TESTS, outcome__reason="x\x1b[31m"), "not a line that can be printed"),
    "a commit with an escape": (lambda m: changed(m, EVIDENCE, source="x\x1b[31m"), "not a line that can be printed"),
    "no status": (lambda m: changed(m, TESTS, outcome__status="good"), "status"),
    "seconds without end": (lambda m: m | {TESTS: m[TESTS].replace(b"1.25", b"Infinity")}, "seconds"),
    "less than no time": (lambda m: changed(m, TESTS, outcome__seconds=-1), "seconds"),
    "output above": (lambda m: changed(m, TESTS, outcome__output="../../secret"), "output"),
    "output from the root": (lambda m: changed(m, TESTS, outcome__output="/etc/passwd"), "output"),
    "a long reason": (lambda m: changed(m, TESTS, outcome__reason="x" * 501), "reason"),
    "an entry of no test": (lambda m: changed(m, JOURNAL, test=99), "list index out of range"),
    "an entry of no kind": (lambda m: changed(m, JOURNAL, kind="x"), "kind"),
    "a long journal": (lambda m: m | {JOURNAL: m[JOURNAL].splitlines(keepends=True)[0] * 3001}, "journal is too long"),
    "a baseline above": (lambda m: changed(m, EVIDENCE, texts={"../x": ""}), "a name that is none"),
    "a baseline of numbers": (lambda m: changed(m, EVIDENCE, texts={"x": 1}), "texts"),
    "no journal": (lambda m: {name: data for name, data in m.items() if name != JOURNAL}, "journal.jsonl"),
    "a run that is missing": (lambda m: {k: v for k, v in m.items() if not k.startswith("runs/1/")}, "not numbered"),
    "no run": (lambda m: {}, "not numbered"),
    "runs with names": (lambda m: m | {"runs/01/run.json": b""}, "belongs to nothing"),
    "a file of nothing": (lambda m: m | {"runs/0/more.json": b"x"}, "belongs to nothing"),
    "a file beside": (lambda m: m | {"more": b"x"}, "belongs to nothing"),
    "a file and a directory": (lambda m: m | {"runs/0/files/a": b"x", "runs/0/files/a/b": b"y"}, "a file and a directory"),
    "a name above": (lambda m: m | {"runs/0/files/../../../x": b"x"}, "has the name"),
    "a name from the root": (lambda m: m | {"/tmp/kdevops-hostile": b"x"}, "has the name"),
    "a name with an escape": (lambda m: m | {"runs/0/files/\x1b[31m": b"x"}, "has the name"),
    "a name of Windows": (lambda m: m | {"runs\\x": b"x"}, "has the name"),
    "a long name": (lambda m: m | {"runs/0/files/" + "x" * 300: b"x"}, "has the name"),
    "a name of many bytes": (lambda m: m | {"runs/0/files" + ("/" + "\U00010348" * 49) * 19: b"x"}, "has the name"),
    "a deep name": (lambda m: m | {"runs/0/files" + "/x" * 50: b"x"}, "has the name"),
    "a console elsewhere": (
        lambda m: changed(m, RUN, record__boot_failure={"title": "x", "guest": "", "console": "/etc/passwd"}), "console",
    ),
    "a boot of a list": (
        lambda m: changed(m, RUN, record__boot_failure={"title": "x", "console": "x", "booted": []}), "which run booted",
    ),
    "a boot failure that is none": (lambda m: changed(m, RUN, record__boot_failure=7), "int"),
    "results of somebody else": (
        lambda m: changed(m, "runs/4/tests.jsonl", outcome__status="fail"), "its results are not those that it names",
    ),
    "identities of somebody else": (
        lambda m: changed(m, "runs/4/run.json", record__imported__identities={}), "its results are not those that it names",
    ),
    "imported without identities": (
        lambda m: changed(m, "runs/4/run.json", record__imported__identities=...), "identities",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_what_cannot_be_is_an_error(away: Store, good: bytes, tmp_path: Path, what: str) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(good)
    change, said = CHANGES[what]
    before = members(path)
    write(path, after := change(dict(before)))
    assert after != before
    refused(away, path, said)
    assert not Path("/tmp/kdevops-hostile").exists()


def test_what_is_not_changed_is_none(away: Store, good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(good)
    write(path, members(path))
    assert len(imported(away, path)) == 3


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ({"version": 2}, "written by a newer kdevops (format 2, this one knows 1)"),
        ({"version": "1"}, "not that of a bundle"),
        ({"format": "tar"}, "not that of a bundle"),
        ({"files": []}, "not a bundle"),
        ({"files": {}}, "does not have the files that its manifest names"),
        ({"files": {"a": [1]}}, "not a bundle"),
        ({"files": {"a": [-1, "x"]}}, "no size and hash"),
        ({"files": {"a": [True, "x"]}}, "no size and hash"),
        ({"files": {"a": [1, 2]}}, "no size and hash"),
    ],
)
def test_manifests_that_are_none(away: Store, good: bytes, tmp_path: Path, head: dict[str, Any], said: str) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(good)
    write(path, members(path), **head)
    refused(away, path, said)


def test_a_hash_or_a_size_that_is_wrong(away: Store, good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(good)
    content = members(path)
    files = {name: [len(data), hashlib.sha256(data).hexdigest()] for name, data in content.items()}
    name = "runs/1/files/commands/default/good.log"
    for size, digest in ((files[name][0], "0" * 64), (5001, files[name][1]), (4999, files[name][1])):
        write(path, content, files=files | {name: [size, digest]})
        refused(away, path, f"{name} is not as it was written")


def test_what_is_not_a_bundle(away: Store, tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "bundle"
    for content, said in (
        (b"", "it is not a zip archive"),
        (b"x" * 1000, "it is not a zip archive"),
        (good[:-1], "its end is missing"),
        (good[: len(good) // 2], "its end is missing"),
        (good + b"x", "its end is missing"),
    ):
        path.write_bytes(content)
        refused(away, path, said)
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("a", "b")
    refused(away, path, "no manifest")
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(MANIFEST, "{" * 100_000)
    refused(away, path, "not a bundle")


def test_what_is_not_a_file(away: Store, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, Path("/dev/zero")):
        with pytest.raises(UserError, match="is not a file"):
            imported(away, path)
    with pytest.raises(UserError, match="No such file"):
        imported(away, tmp_path / "none")
    nothing(away)


def with_info(path: Path, **facts: Any) -> None:
    """A bundle with one more file, which is what `facts` of a zip member say."""
    content = members(path)
    data = b"/etc/passwd"
    name = "runs/0/files/link"
    files = {key: (len(each), hashlib.sha256(each).hexdigest()) for key, each in {**content, name: data}.items()}
    write(path, content, files=files)
    info = zipfile.ZipInfo(name)
    for key, value in facts.items():
        setattr(info, key, value)
    with zipfile.ZipFile(path, "a") as opened:
        opened.writestr(info, data)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"external_attr": (stat.S_IFLNK | 0o777) << 16}, "is a link or a device"),
        ({"external_attr": (stat.S_IFCHR | 0o777) << 16}, "is a link or a device"),
        ({"external_attr": (stat.S_IFDIR | 0o777) << 16}, "is a link or a device"),
        ({"compress_type": zipfile.ZIP_LZMA}, "packed in a way"),
    ],
)
def test_links_devices_and_other_ways_to_pack(
    away: Store, good: bytes, tmp_path: Path, facts: dict[str, Any], said: str
) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(good)
    with_info(path, **facts)
    refused(away, path, said)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name(away: Store, good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(good)
    with zipfile.ZipFile(path, "a") as opened:
        opened.writestr("runs/0/run.json", b"{}")
    refused(away, path, "the same name")


def test_a_file_that_begins_behind_all_ends(away: Store, good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(good)
    content = members(path)
    files = {name: [len(data), hashlib.sha256(data).hexdigest()] for name, data in content.items()}
    for offset in ((1 << 64) - 1, 1 << 62):
        with zipfile.ZipFile(path, "w") as opened:
            opened.writestr(MANIFEST, json.dumps({"format": archive.FORMAT, "version": 1, "files": files}))
            for name, data in content.items():
                opened.writestr(name, data)
            opened.filelist[1].header_offset = offset
        refused(away, path, "not a bundle")


def test_bombs(away: Store, good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_FREE_BYTES", 1 << 20)
    monkeypatch.setattr(archive, "_MAX_RATIO", 10)
    path = tmp_path / "bundle"
    path.write_bytes(good)
    content = members(path)
    bomb = bytes(20 << 20)
    files = {name: [len(data), hashlib.sha256(data).hexdigest()] for name, data in content.items()}
    name = "runs/0/files/bomb"
    for told, said in ((len(bomb), "its files would take 20 MiB"), (5, "bomb is not as it was written")):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
            for key, data in (content | {name: bomb}).items():
                opened.writestr(key, data)
            head = {"format": archive.FORMAT, "version": 1, "files": files | {name: [told, "0" * 64]}}
            opened.writestr(MANIFEST, json.dumps(head))
        assert path.stat().st_size < 1 << 20
        refused(away, path, said)


def test_a_list_of_files_that_is_too_long(
    away: Store, good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(good)
    monkeypatch.setattr(archive, "_MAX_DIRECTORY", 500)
    refused(away, path, "its list of files is too long")


def test_long_texts(away: Store, good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(good)
    monkeypatch.setattr(archive, "MAX_TEXT", 100)
    refused(away, path, "runs/0/run.json is too long")


def test_no_room(away: Store, good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(good)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(InfrastructureError, match="the bundle needs 0 MiB"):
        imported(away, path)
    nothing(away)


def test_a_record_that_cannot_be_shown(any_away: Store, good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(good)

    def check(_: int) -> None:
        raise KeyError("decision")

    with pytest.raises(UserError, match=r"what it records of a run cannot be shown .KeyError: 'decision'."):
        imported(any_away, path, check)
    nothing(any_away)


def test_an_error_of_ours_leaves_nothing(any_away: Store, good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(good)

    def check(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        imported(any_away, path, check)
    nothing(any_away)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_byte_is_an_error_or_changes_nothing(good: bytes, tmp_path: Path, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.integers(1, 255))
    path = tmp_path / "bundle"
    path.write_bytes(good)
    whole = members(path)
    path.write_bytes(good[:at] + bytes([good[at] ^ other]) + good[at + 1 :])
    try:
        with Archive(path) as opened:
            read = {name: opened.text(name) for name in opened.files}
    except UserError:
        return
    assert read == whole


@given(st.binary(max_size=400), st.booleans())
def test_anything_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes, end: bool) -> None:
    path = tmp_path_factory.mktemp("any") / "bundle"
    path.write_bytes(content + (b"PK\5\6" + content[:18].ljust(18, b"\0") if end else b""))
    with pytest.raises(UserError), Archive(path):
        pass
