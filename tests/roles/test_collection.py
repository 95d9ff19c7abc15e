"""The repository as an Ansible collection: built, installed, and its roles used by their full names from elsewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from kdevops.kernel.bundle import write_bundle
from tests.fakelinux import make_tree

CHECKOUT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
ROLES = sorted(path.name for path in (CHECKOUT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted(path.stem for path in (CHECKOUT / "playbooks").glob("*.yml"))
TOPS = {"FILES.json", "LICENSE", "CHANGELOG.md", "MANIFEST.json", "README.md", "kdevops", "meta", "playbooks", "roles"}


def tool(
    cwd: Path, *argv: object, collections: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's commands in `cwd` with nothing of ours to be found but what is in `collections`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHONPATH"))}
    environment |= {
        "ANSIBLE_COLLECTIONS_PATH": str(collections or f"{cwd}-private"),
        "ANSIBLE_LOCAL_TEMP": f"{cwd}-private/tmp",
        "ANSIBLE_HOME": f"{cwd}-private/home",
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        **variables,
    }
    words = [sys.executable, "-I", str(BIN / str(argv[0])), *map(str, argv[1:])]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)


def succeed(cwd: Path, *argv: object, collections: Path | None = None, **variables: str) -> str:
    done = tool(cwd, *argv, collections=collections, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in git, as it stands here, in a repository of its own."""
    target = tmp_path_factory.mktemp("clone") / "kdevops"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (CHECKOUT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, target / name)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "init.defaultBranch=main"]
    for words in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], cwd=target, check=True)
    return target


@pytest.fixture(scope="module")
def tarball(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built")
    succeed(clone, "ansible-galaxy", "collection", "build", "--output-path", out)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module", params=["tarball", "git"])
def collections(request: pytest.FixtureRequest, clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("collections")
    tarball = request.getfixturevalue("tarball")
    source = tarball if request.param == "tarball" else f"git+file://{clone},main"
    succeed(target, "ansible-galaxy", "collection", "install", "--no-deps", "-p", target, source)
    return target


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A directory with an inventory in which every group that a playbook asks for has this machine."""
    host = {"toy": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}
    groups = {name: {"hosts": host} for name in ("fstests", "nfsd", "selftests", "smbd")}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"children": groups}}))
    return tmp_path


def apply(elsewhere: Path, collections: Path, role: str, *options: str, **variables: object) -> str:
    play = [{"hosts": "toy", "gather_facts": False, "roles": [role]}]
    (elsewhere / "play.yml").write_text(yaml.safe_dump(play))
    words = ("ansible-playbook", "-i", "hosts.yml", "play.yml", "-e", json.dumps(variables), *options)
    return succeed(elsewhere, *words, collections=collections, KDEVOPS_CACHE=str(elsewhere / "cache"))


def test_its_version_is_the_newest_that_the_changes_tell_of() -> None:
    newest = re.search(r"^## (\S+)", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())["version"] == newest[1]


def test_a_releases_version_is_its_tags(clone: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["git", "clone", "-q", clone, copy], check=True)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run([*git, "tag", "-am", "x", "v9.8.7"], cwd=copy, check=True)
    (copy / "roles/left-behind.yml").touch()
    subprocess.run(
        ["scripts/collection", tmp_path / "dist"], cwd=copy, check=True, env={**os.environ, "VENV": str(BIN.parent)}
    )
    (built,) = (tmp_path / "dist").iterdir()
    assert built.name == "kdevops-kdevops-9.8.7.tar.gz"
    with tarfile.open(built) as archive:
        assert not [name for name in archive.getnames() if "left-behind" in name], "it is not in git"


def test_it_has_what_a_collection_needs_and_no_more(collections: Path, tmp_path: Path) -> None:
    installed = collections / "ansible_collections/kdevops/kdevops"
    assert {path.name for path in installed.iterdir()} <= TOPS
    write_bundle(tmp_path / "builder.pyz")
    bundled = set(zipfile.ZipFile(tmp_path / "builder.pyz").namelist()) - {"__main__.py"}
    package = {str(path.relative_to(installed)) for path in (installed / "kdevops").rglob("*") if path.is_file()}
    assert package - {"kdevops/py.typed"} == bundled, "build_ignore in galaxy.yml has to name what is new in kdevops/"
    for kind in ("roles", "playbooks"):
        tracked = {str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / kind).rglob("*") if path.is_file()}
        assert {str(path.relative_to(installed)) for path in (installed / kind).rglob("*") if path.is_file()} == tracked


@pytest.mark.parametrize("role", ROLES)
def test_every_role_is_found_by_its_full_name(role: str, elsewhere: Path, collections: Path) -> None:
    out = apply(elsewhere, collections, f"kdevops.kdevops.{role}", "--list-tasks")
    assert "TAGS" in out
    described = json.loads(
        succeed(
            elsewhere, "ansible-doc", "-t", "role", "--json", f"kdevops.kdevops.{role}",
            collections=collections,
        )
    )  # fmt: skip
    assert "main" in described[f"kdevops.kdevops.{role}"]["entry_points"]


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_playbook_is_found_by_its_full_name(playbook: str, elsewhere: Path, collections: Path) -> None:
    words = ("ansible-playbook", "-i", "hosts.yml", "--list-tasks", f"kdevops.kdevops.{playbook}")
    assert f"{playbook} : " in succeed(elsewhere, *words, collections=collections)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_playbook_is_found_in_a_checkout(playbook: str, clone: Path, elsewhere: Path) -> None:
    path = clone / "playbooks" / f"{playbook}.yml"
    succeed(clone, "ansible-playbook", "-i", elsewhere / "hosts.yml", "--list-tasks", path)


def test_a_role_brings_the_roles_and_files_that_it_needs(elsewhere: Path, collections: Path) -> None:
    """fstests calls another role of ours for packages, whose files it brings; nothing is changed here."""
    out = apply(
        elsewhere, collections, "kdevops.kdevops.controller", "--check",
        controller_fstests=True, controller_query=["sh", "-c", "for p; do echo installed; done", "sh"],
    )  # fmt: skip
    assert "changed=0" in out
    assert "failed=0" in out


def test_a_kernel_is_built_without_the_package(elsewhere: Path, collections: Path) -> None:
    """By a Python that has nothing of ours, as on a machine that has Ansible and the collection alone."""
    tree = make_tree(elsewhere / "linux")
    variables = {
        "bootlinux_spec": {
            "source": {"kind": "path", "location": str(tree)},
            "config": {"options": ["CONFIG_TOYFS=y"]},
        },
        "bootlinux_direct_boot": True,
        "bootlinux_python": bare_python(elsewhere),
    }
    for where in ("controller", "guest"):
        more = {"bootlinux_directory": str(elsewhere / "kernels")} if where == "guest" else {}
        out = apply(elsewhere, collections, "kdevops.kdevops.bootlinux", **variables, bootlinux_build_on=where, **more)
        assert "failed=0" in out


def bare_python(tmp_path: Path) -> str:
    """This Python without anything that is installed in it."""
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    path.chmod(0o755)
    assert subprocess.run([path, "-P", "-c", "import kdevops"], capture_output=True, cwd=tmp_path,
                          env={"PATH": os.environ["PATH"]}, check=False).returncode != 0  # fmt: skip
    return str(path)
