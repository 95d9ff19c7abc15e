"""What is built for a lab, on the toy kernel tree."""

from __future__ import annotations

import asyncio
import difflib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kdevops.errors import UserError
from kdevops.kernel.artifact import Artifact
from kdevops.lab.model import Lab
from kdevops.progress import silent
from kdevops.run import build
from kdevops.run.build import build_kernel, kernel_spec
from kdevops.run.dirs import Dirs
from kdevops.suites.base import KernelBuild
from kdevops.suites.registry import suites_of
from tests.fakelinux import make_tree


@pytest.fixture
def dirs(tmp_path: Path) -> Dirs:
    return Dirs(tmp_path / "state", tmp_path / "cache")


def lab_of(tree: Path, **more: object) -> Lab:
    kernel = {"source": {"path": str(tree)}, **more}
    return Lab.model_validate({"name": "toy", "kernel": kernel, "suites": {"selftests": {"targets": ["added"]}}})


def test_a_selftest_that_a_patch_adds_can_be_chosen_and_its_options_are_asked_for(tmp_path: Path, dirs: Dirs) -> None:
    tree = make_tree(tmp_path / "linux")
    makefile = tree / "tools/testing/selftests/Makefile"
    before = makefile.read_text().splitlines(keepends=True)
    after = ["TARGETS += added\n", *before]
    name = "tools/testing/selftests/Makefile"
    patch = tmp_path / "add.patch"
    config = "--- /dev/null\n+++ b/tools/testing/selftests/added/config\n@@ -0,0 +1 @@\n+CONFIG_BITS_TEST=y\n"
    patch.write_text("".join(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}")) + config)

    plain = lab_of(tree)
    with pytest.raises(UserError, match="added"):
        asyncio.run(kernel_spec(plain, suites_of(plain), dirs, silent))

    patched = lab_of(tree, patches=[str(patch)])
    spec = asyncio.run(kernel_spec(patched, suites_of(patched), dirs, silent))
    (asked,) = spec.asked
    assert asked.who == "suite selftests"
    assert asked.required == {"BITS_TEST": "y"}
    assert makefile.read_text().splitlines(keepends=True) == before, "the user's tree is never written to"


def test_a_second_build_of_the_same_is_the_same(tmp_path: Path, dirs: Dirs) -> None:
    tree = make_tree(tmp_path / "linux")
    lab = Lab.model_validate({"name": "toy", "kernel": {"source": {"path": str(tree)}}})
    first = asyncio.run(build_kernel(lab, suites_of(lab), dirs, silent))
    assert asyncio.run(build_kernel(lab, suites_of(lab), dirs, silent)) == first


def test_suites_are_told_whose_the_kernel_is_and_what_is_in_it(
    tmp_path: Path, dirs: Dirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config-6.1.0"
    config.write_text("CONFIG_XFS_FS=m\n")
    told = []

    async def distribution_kernel(*_: object, **__: object) -> Artifact:
        return Artifact(
            "k", tmp_path, tmp_path / "image", "6.1.0", None, config, record={"distribution": ["debian", "12"]}
        )

    async def prepare(kernel: KernelBuild, **_: object) -> None:
        told.append(kernel)

    monkeypatch.setattr(build, "build_kernel", distribution_kernel)
    lab = Lab.model_validate({"name": "toy", "kernel": {"source": {"package": "linux-image-amd64"}}})
    suites: Any = [SimpleNamespace(name="kunit", prepare=prepare)]
    asyncio.run(build._kernel_and_suites(lab, suites, dirs, silent))
    assert [(kernel.config, kernel.distribution) for kernel in told] == [({"XFS_FS": "m"}, ("debian", "12"))]
