"""The wheel is the whole program: built here, installed apart, used from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from kdevops.lab.clouds import cloud_names

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


def test_the_command_works_from_anywhere_and_tells_the_wheels_version(
    wheel: Path, installed: Path, tmp_path: Path
) -> None:
    told = elsewhere(installed, tmp_path, installed / "bin/kdevops", "--version")
    assert told == f"kdevops {wheel.name.split('-')[1]}\n"


def test_a_release_is_of_a_tag_that_the_changes_tell_of(tmp_path: Path) -> None:
    """In a clone with a history of its own, so that no tag is made here."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", CHECKOUT, clone], check=True)
    subprocess.run(["git", "tag", "-l"], cwd=clone, check=True)
    environment = {**os.environ, "VENV": str(Path(sys.executable).parents[1])}

    def release() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["scripts/release"], check=False, cwd=clone, env=environment, capture_output=True, text=True
        )

    def tag(name: str) -> None:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        subprocess.run(["git", *who, "tag", "-f", "-a", name, "-m", name], cwd=clone, check=True, capture_output=True)

    tag("v9.9.9")
    assert "describe the changes in 9.9.9" in release().stderr
    subprocess.run(["git", "tag", "-d", "v9.9.9"], cwd=clone, check=True, capture_output=True)
    newest = next(line.split()[1] for line in (clone / "CHANGELOG.md").read_text().splitlines() if line[:4] == "## 0")
    tag(f"v{newest}")
    (clone / "new").touch()
    assert "uncommitted" in release().stderr
    (clone / "new").unlink()
    done = release()
    assert done.returncode == 0, done.stderr
    made = {line.split()[1] for line in (clone / "dist/SHA256SUMS").read_text().splitlines()}
    assert {f"kdevops-{newest}-py3-none-any.whl", f"kdevops-{newest}.tar.gz"} <= made
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=clone / "dist", check=True)


def test_commits_are_checked_by_the_linters_of_make_lint() -> None:
    hooks = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    (lint,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    ours = {line.split("$(BIN)/")[-1].split('" ')[-1].removesuffix(" .") for line in lint.splitlines()}
    theirs = {re.sub(r"^(env PATH=\S+ )?(\.venv/bin/)?", "", hook["entry"]) for hook in hooks}
    assert theirs == ours


def test_data_is_found_beside_the_installed_package(installed: Path, tmp_path: Path) -> None:
    code = "from kdevops.paths import data_dir; import sys; print(*map(data_dir, sys.argv[1:]), sep='\\n')"
    found = elsewhere(installed, tmp_path, sys.executable, "-c", code, *SHIPPED).splitlines()
    assert found == [str(installed / "kdevops/data" / kind) for kind in SHIPPED]


def test_the_installed_package_knows_the_clouds(installed: Path, tmp_path: Path) -> None:
    code = "from kdevops.lab.cloud import all_facts; print(*all_facts())"
    assert elsewhere(installed, tmp_path, sys.executable, "-c", code).split() == list(cloud_names())


@pytest.mark.parametrize("playbook", sorted(path.name for path in (CHECKOUT / "playbooks").glob("*.yml")))
def test_the_installed_playbooks_find_the_installed_roles(installed: Path, tmp_path: Path, playbook: str) -> None:
    code = "from kdevops.provision.ansible import environment; import os, sys, pathlib;"
    code += "os.execvpe(sys.argv[1], sys.argv[1:], {**os.environ, **environment(pathlib.Path('.'))})"
    path = installed / "kdevops/data/playbooks" / playbook
    argv = ("ansible-playbook", "--inventory", "localhost,", "--list-tasks", path)
    assert f"{path.stem} : " in elsewhere(installed, tmp_path, sys.executable, "-c", code, *argv)
