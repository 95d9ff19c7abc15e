"""Building a toy tree's selftests for real: what is made, kept, reported, and left alone."""

import asyncio
import os
import shutil
import tarfile

import pytest

from kdevops.errors import UserError
from kdevops.progress import silent
from kdevops.suites.selftests.build import build
from tests.suites.selftests.toy import make_tree
from tests.support.killed import kill_when

pytestmark = pytest.mark.skipif(
    not (shutil.which("make") and shutil.which("cc")), reason="make and a C compiler are needed"
)


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "linux")


def do(tree, targets, *, key="k", report=silent, compiler="gcc"):
    base = tree.parent
    cache = base / "cache"
    return asyncio.run(build(tree, base / "objects", targets, cache=cache, key=key, report=report, compiler=compiler))


def snapshot(tree):
    return {path: path.stat().st_mtime_ns for path in tree.rglob("*")}


def test_builds_packs_and_leaves_the_tree_alone(tree):
    before = snapshot(tree)
    built = do(tree, ["good", "net/deep"])
    assert snapshot(tree) == before
    assert [(test.id.name, test.argv, test.timeout) for test in built.tests] == [
        ("good:script.sh", ("/bin/sh", "-e", "./script.sh"), 90.0),
        ("good:works", ("./works",), 90.0),
        ("net/deep:works", ("./works",), 45.0),
    ]
    assert not built.troubles
    with tarfile.open(built.payload) as archive:
        members = {member.name: member for member in archive}
    assert members["./good/works"].mode & 0o111
    assert {member.uid for member in members.values()} == {0}


def test_the_second_time_it_is_there(tree):
    first = do(tree, ["good"])
    shutil.rmtree(tree / "tools/testing/selftests/good/")  # nothing of it may be needed
    details = []
    again = do(tree, ["good"], report=lambda progress: details.append(progress.detail))
    assert again == first
    assert details == ["already built"]


def test_sigkill_in_the_middle_leaves_nothing_that_is_taken_for_whole(tree):
    makefile = tree / "tools/testing/selftests/good/Makefile"
    whole = makefile.read_text()
    started = tree.parent / "started"
    makefile.write_text(
        whole.replace("install: $(OUTPUT)/works", f"install: wait $(OUTPUT)/works\nwait:\n\ttouch {started}; sleep 600")
    )
    script = f"""
        import asyncio
        from pathlib import Path
        from kdevops.progress import silent
        from kdevops.suites.selftests.build import build
        base = Path({str(tree.parent)!r})
        asyncio.run(build(Path({str(tree)!r}), base / "objects", ["good"], cache=base / "cache", key="k", report=silent))
    """
    kill_when(started, script)
    makefile.write_text(whole)
    details = []
    built = do(tree, ["good"], report=lambda progress: details.append(progress.detail))
    assert "already built" not in details
    assert [test.id.name for test in built.tests] == ["good:script.sh", "good:works"]


def test_the_same_content_gives_the_same_payload(tree):
    first = do(tree, ["good"], key="one")
    second = do(tree, ["good"], key="two")
    assert first.payload != second.payload
    assert first.digest == second.digest


def test_a_changed_header_is_not_missed(tree):
    first = do(tree, ["good"], key="one")
    (tree / "include/toy.h").write_text("#define TOY 1\n")  # the program's rule does not name it: make sees no change
    assert do(tree, ["good"], key="two").digest != first.digest


def test_target_that_does_not_compile_names_the_first_error(tree):
    with pytest.raises(UserError, match=r"broken gives no test: .*no-such-library\.h") as caught:
        do(tree, ["good", "broken"])
    assert caught.value.log.is_file()
    assert not [path for path in (tree.parent / "cache/selftests").iterdir() if not path.name.startswith(".")]


def test_target_without_tests_is_an_error(tree):
    with pytest.raises(UserError, match="empty gives no test"):
        do(tree, ["empty"])


def test_part_that_does_not_build_is_reported(tree):
    built = do(tree, ["partial"])
    assert [test.id.name for test in built.tests] == ["partial:part.sh"]
    assert "undeclared" in built.troubles["partial"]


def test_half_written_result_is_built_again(tree):
    first = do(tree, ["good"])
    (first.payload.parent / "manifest.json").write_text('{"digest"')
    assert do(tree, ["good"]).digest == first.digest


def test_our_callers_make_variables_do_not_leak(tree, monkeypatch):
    monkeypatch.setitem(os.environ, "MAKEFLAGS", "n")
    monkeypatch.setitem(os.environ, "KBUILD_OUTPUT", "/nonexistent")
    assert do(tree, ["good"]).tests


@pytest.mark.parametrize(("compiler", "llvm"), [("gcc", ""), ("clang", "1")])
def test_the_labs_compiler_is_asked_for_whatever_the_caller_prefers(tree, monkeypatch, compiler, llvm):
    monkeypatch.setitem(os.environ, "LLVM", "-99")
    makefile = tree / "tools/testing/selftests/good/Makefile"
    makefile.write_text(makefile.read_text() + "\ninstall: tell\ntell:\n\techo LLVM=[$(LLVM)]\n")
    do(tree, ["good"], compiler=compiler)
    assert f"\nLLVM=[{llvm}]\n" in (tree.parent / "objects/kselftest.log").read_text()


def test_unknown_target(tree):
    with pytest.raises(UserError, match="did you mean good"):
        do(tree, ["goo"])
