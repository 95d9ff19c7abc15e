from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from kdevops import distribution
from kdevops.errors import InfrastructureError, UserError
from kdevops.kernel import toolchain
from kdevops.kernel.artifact import Artifact
from kdevops.kernel.build import build
from kdevops.kernel.elf import read_build_id
from kdevops.kernel.spec import BuildSpec, Compiler, ConfigSpec, SourceSpec
from kdevops.progress import Progress
from tests.fakelinux import edit, make_tree
from tests.kernel.conftest import Builder

FULL = {"init/main.o", "fs/toyfs.o"}


def compiled(artifact: Artifact) -> set[str]:
    """What the last make in the artifact's build directory compiled."""
    assert artifact.build_directory
    log = (artifact.build_directory.parent / "make.log").read_text()
    return {line.split()[1] for line in log.splitlines() if line.startswith("  CC ")}


def test_an_artifact_is_complete(toy: Path, build_toy: Builder) -> None:
    built = build_toy(toy, "CONFIG_TOY_MODULE=m")
    assert built.image.name in {"bzImage", "Image"}
    assert built.release == "6.1.0-toy"
    assert built.vmlinux
    assert built.build_id == read_build_id(built.vmlinux)
    notes = subprocess.run(["readelf", "-n", built.vmlinux], capture_output=True, text=True, check=True).stdout
    assert f"Build ID: {built.build_id}" in notes
    assert built.source == toy
    assert built.modules
    with tarfile.open(built.modules) as tar:
        names = tar.getnames()
        assert {member.uid for member in tar} == {0}
    assert "lib/modules/6.1.0-toy/kernel/drivers/toymod.ko" in names
    assert "lib/modules/6.1.0-toy/modules.dep" in names
    assert "lib/modules/6.1.0-toy/build" not in names
    assert "gcc" in built.record["toolchain"]
    assert Artifact.load(built.directory) == built


def test_without_modules_there_is_no_tar(toy: Path, build_toy: Builder) -> None:
    assert build_toy(toy).modules is None


def test_the_same_again_runs_no_make(toy: Path, build_toy: Builder) -> None:
    first = build_toy(toy)
    assert first.build_directory
    shutil.rmtree(first.build_directory)
    assert build_toy(toy) == first


def test_a_one_line_change_compiles_one_file_and_leaves_the_old_artifact_alone(toy: Path, build_toy: Builder) -> None:
    first = build_toy(toy)
    assert compiled(first) == FULL
    before = first.image.read_bytes()
    edit(toy)
    second = build_toy(toy)
    assert compiled(second) == {"fs/toyfs.o"}
    assert second.build_id != first.build_id
    assert first.image.read_bytes() == before
    edit_back = (toy / "fs/toyfs.c").read_text().replace(" changed", "")
    (toy / "fs/toyfs.c").write_text(edit_back)
    assert build_toy(toy).build_id == first.build_id


def test_another_configuration_has_its_own_build_directory(toy: Path, build_toy: Builder) -> None:
    first, second = build_toy(toy), build_toy(toy, "CONFIG_TOY_PARENT=y")
    assert first.key != second.key
    assert first.build_directory != second.build_directory


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"compile_error": True}, "does not build: fs/toyfs.c:6: .*oops"),
        ({"undefined_reference": True}, "fs/toyfs.o: undefined reference to .toy_missing"),
        ({"modpost_error": True}, r'"toy_missing" \[drivers/toymod\.ko\] undefined'),
    ],
)
def test_the_first_error_is_told_and_the_log_kept(
    fault: dict[str, bool], said: str, tmp_path: Path, build_toy: Builder
) -> None:
    tree = make_tree(tmp_path / "linux", **fault)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=said) as caught:
        build_toy(tree, "CONFIG_TOY_MODULE=m")
    assert caught.value.log
    assert "make" in caught.value.log.read_text()


def test_a_mended_error_builds_on(tmp_path: Path, build_toy: Builder) -> None:
    tree = make_tree(tmp_path / "linux", compile_error=True)
    with pytest.raises(UserError):
        build_toy(tree)
    (tree / "fs/toyfs.c").write_text((tree / "fs/toyfs.c").read_text().replace("return oops;", ""))
    assert compiled(build_toy(tree)) == {"fs/toyfs.o"}


def test_a_warning_is_no_error(tmp_path: Path, build_toy: Builder) -> None:
    assert build_toy(make_tree(tmp_path / "linux", warning=True)).build_id


def test_the_environment_of_another_make_has_no_say(
    toy: Path, build_toy: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build_toy(toy)
    shutil.rmtree(first.directory)
    for name, value in {
        "MAKEFLAGS": "n",
        "LOCALVERSION": "-mine",
        "ARCH": "vax",
        "CROSS_COMPILE": "no-",
        "O": "/none",
    }.items():
        monkeypatch.setenv(name, value)
    assert build_toy(toy).build_id == first.build_id


def test_patches_are_built_and_an_edited_one_is_incremental(toy: Path, build_toy: Builder, tmp_path: Path) -> None:
    file = tmp_path / "fix.patch"

    def write(text: str) -> None:
        head = "--- a/fs/toyfs.c\n+++ b/fs/toyfs.c\n@@ -5,4 +5,4 @@\n {\n \t\n"
        file.write_text(f'{head}-\treturn "toyfs";\n+\treturn "{text}";\n }}\n')

    plain = build_toy(toy)
    write("fixed")
    first = build_toy(toy, patches=(str(file),))
    assert first.build_id != plain.build_id
    assert first.source != toy
    write("better")
    second = build_toy(toy, patches=(str(file),))
    assert compiled(second) == {"fs/toyfs.o"}
    assert second.record["patches"][0]["sha256"] != first.record["patches"][0]["sha256"]
    write("fixed")
    assert build_toy(toy, patches=(str(file),)).build_id == first.build_id


def test_two_builds_at_once_build_once(toy: Path, cache: Path) -> None:
    spec = BuildSpec(SourceSpec("path", str(toy)), config=ConfigSpec(options=("CONFIG_TOYFS=y",)))
    told: list[Progress] = []

    async def both() -> list[Artifact]:
        return await asyncio.gather(*(build(spec, cache=cache, report=told.append) for _ in range(2)))

    first, second = asyncio.run(both())
    assert first == second
    assert sum(news.detail.startswith("SYNC") for news in told) == 1
    assert sum(news.done for news in told) == 2


def test_progress_goes_forward(toy: Path, cache: Path) -> None:
    told: list[Progress] = []
    asyncio.run(build(BuildSpec(SourceSpec("path", str(toy))), cache=cache, report=told.append))
    fractions = [news.fraction for news in told if news.step == "kernel build" and news.fraction is not None]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert told[-1].done


def test_a_tree_edited_during_its_build_is_not_published(toy: Path, cache: Path) -> None:
    def report(news: Progress) -> None:
        if news.step == "kernel config":
            edit(toy)

    with pytest.raises(UserError, match="was changed during the build"):
        asyncio.run(build(BuildSpec(SourceSpec("path", str(toy))), cache=cache, report=report))
    assert list(cache.glob("kernels/*")) == []


def test_missing_tools_are_all_named_before_anything_is_done(
    toy: Path, cache: Path, build_toy: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gcc", "ld", "make", "perl"):
        (tmp_path / name).symlink_to(shutil.which(name) or "/none")
    monkeypatch.setattr(toolchain, "_PATH", str(tmp_path))
    with pytest.raises(InfrastructureError, match="not installed: flex, bison, bc") as caught:
        build_toy(toy)
    assert "install them: " in str(caught.value.hint)
    assert not (cache / "builds").exists()


def test_a_machine_without_clang_is_told_in_one_message(
    toy: Path, cache: Path, build_toy: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("make", "flex", "bison", "bc", "perl", "llvm-ar"):
        (tmp_path / name).symlink_to(shutil.which(name) or "/none")
    monkeypatch.setattr(toolchain, "_PATH", str(tmp_path))
    monkeypatch.setattr(distribution, "distribution_family", lambda: "debian")
    with pytest.raises(InfrastructureError, match=r"not installed: clang, ld\.lld, llvm-nm, ") as caught:
        build_toy(toy, compiler="clang")
    assert caught.value.hint == "install them: apt-get install clang lld llvm"
    assert not (cache / "builds").exists()


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_tree_is_built_with_the_labs_compiler_whatever_the_caller_prefers(
    toy: Path, build_toy: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: Compiler
) -> None:
    for name in toolchain._COMMANDS["clang"]:
        real = shutil.which("gcc") if name == "clang" else "/bin/true"
        (tmp_path / name).write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{name} 99" && exit\nexec {real} "$@"\n')
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("CCACHE_DISABLE", "1")  # it tells compilers by their names, and this clang is a gcc
    monkeypatch.setattr(toolchain, "_PATH", path)
    monkeypatch.setenv("LLVM", "-99")
    makefile = toy / "Makefile"
    makefile.write_text(makefile.read_text().replace("all: clean-source", "all: tell clean-source", 1))
    with makefile.open("a") as file:
        file.write("\ntell:\n\t@echo LLVM=[$(LLVM)] CC=$(lastword $(CC))\n")
    artifact = build_toy(toy, compiler=compiler)
    assert artifact.build_directory
    said = (artifact.build_directory.parent / "make.log").read_text()
    assert f"LLVM=[{'1' if compiler == 'clang' else ''}] CC={compiler}\n" in said
    assert ("clang" in artifact.record["toolchain"]) == (compiler == "clang")


def test_a_missing_header_is_found_before_make_stumbles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(toolchain._HEADER_FOR, "OBJTOOL", ("no/such.h", "libelf"))
    chain = toolchain.Toolchain("gcc", {}, None)
    asyncio.run(toolchain.require_for({"OBJTOOL": "n"}, chain))
    with pytest.raises(InfrastructureError, match="development files of libelf"):
        asyncio.run(toolchain.require_for({"OBJTOOL": "y"}, chain))


def test_killed_in_the_middle_and_built_again(tmp_path: Path, cache: Path, build_toy: Builder) -> None:
    tree = make_tree(tmp_path / "linux", slow=60)
    spec = tmp_path / "spec.json"
    spec.write_text(BuildSpec(SourceSpec("path", str(tree)), config=ConfigSpec(options=("CONFIG_TOYFS=y",))).to_json())
    argv = [sys.executable, "-m", "kdevops.kernel", "build", "--spec", str(spec), "--cache", str(cache)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not list(cache.glob("builds/*/obj/init/.main.o.cmd")) or list(cache.glob("builds/*/obj/init/.main.o.d")):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    (output,) = cache.glob("builds/*/obj")
    (output / "fs").mkdir(exist_ok=True)
    (output / "fs/toyfs.o").write_bytes(b"half an object")  # what the compiler had written of it
    (output / "fs/.toyfs.o.d").touch()
    assert not (cache / "kernels").exists()
    (tree / "fs/toyfs.slow").write_text("0\n")
    os.utime(tree / "fs/toyfs.c", ns=(0, 0))
    assert compiled(build_toy(tree)) == {"fs/toyfs.o"}
