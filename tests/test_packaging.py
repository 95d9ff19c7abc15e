"""The wheel is the whole program: built here, installed apart, used from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import kdevops

CHECKOUT = Path(__file__).parents[1]
SHIPPED = ("playbooks", "roles", "labs", "vagrant", "terraform", "baselines")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", target, wheel], check=True)
    return target


def elsewhere(installed: Path, cwd: Path, *argv: str | Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(argv, cwd=cwd, env=environment, check=True, capture_output=True, text=True).stdout


def test_everything_that_is_data_is_in_the_wheel(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("kdevops/data/")}
    files = {
        f"kdevops/data/{path.relative_to(CHECKOUT)}"
        for kind in SHIPPED
        for path in (CHECKOUT / kind).rglob("*")
        if path.is_file()
    }
    assert inside == files
    assert {name.split("/")[2] for name in inside} == set(SHIPPED)


def test_the_command_works_from_anywhere(installed: Path, tmp_path: Path) -> None:
    assert kdevops.__version__ in elsewhere(installed, tmp_path, installed / "bin/kdevops", "--version")


def test_data_is_found_beside_the_installed_package(installed: Path, tmp_path: Path) -> None:
    code = "from kdevops.paths import data_dir; import sys; print(*map(data_dir, sys.argv[1:]), sep='\\n')"
    found = elsewhere(installed, tmp_path, sys.executable, "-c", code, *SHIPPED).splitlines()
    assert found == [str(installed / "kdevops/data" / kind) for kind in SHIPPED]


@pytest.mark.parametrize("playbook", sorted(path.name for path in (CHECKOUT / "playbooks").glob("*.yml")))
def test_the_installed_playbooks_find_the_installed_roles(installed: Path, tmp_path: Path, playbook: str) -> None:
    code = "from kdevops.provision.ansible import environment; import os, sys, pathlib;"
    code += "os.execvpe(sys.argv[1], sys.argv[1:], {**os.environ, **environment(pathlib.Path('.'))})"
    path = installed / "kdevops/data/playbooks" / playbook
    argv = ("ansible-playbook", "--inventory", "localhost,", "--list-tasks", path)
    assert f"{path.stem} : " in elsewhere(installed, tmp_path, sys.executable, "-c", code, *argv)
