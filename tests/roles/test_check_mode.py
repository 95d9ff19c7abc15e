"""Roles in check mode: they change nothing, say that they would where they would, and say nothing changed afterwards."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kdevops.paths import data_dir
from tests.fakelinux import make_tree
from tests.roles.test_applied import SEEN, booted, build_spec, package_manager
from tests.support import fstests_toy

BIN = Path(sys.executable).parent
HAVE_ALL = "for p; do echo installed; done"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="what it installs belongs to root")


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDEVOPS_CACHE", str(tmp_path / "cache"))


def apply(role: str, tmp_path: Path, variables: dict[str, Any], *, check: bool) -> int:
    """Apply the role to this machine; how many tasks changed, or would change, something."""
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"children": {role: {"hosts": {"toy": host}}}}}))
    play = [{"hosts": role, "gather_facts": False, "roles": [role]}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    words = [BIN / "ansible-playbook", "-i", "hosts.yml", "play.yml", "-e", json.dumps(variables)]
    done = subprocess.run(
        [*words, *(["--check"] if check else [])],
        cwd=tmp_path,
        env=os.environ | {
            "ANSIBLE_ROLES_PATH": str(data_dir("roles")),
            "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.search(r"^toy .*changed=(\d+)", done.stdout, re.MULTILINE)
    assert told, done.stdout
    return int(told[1])


def tree_of(directory: Path) -> set[str]:
    return {str(path) for path in directory.rglob("*")}


def test_controller(tmp_path: Path) -> None:
    missing = package_manager(tmp_path, "echo none; exit 1") | {"ansible_become": False}
    assert apply("controller", tmp_path, missing, check=True) == 1
    assert not (tmp_path / "done").exists(), "it was only asked"
    assert apply("controller", tmp_path, package_manager(tmp_path, HAVE_ALL), check=True) == 0


@pytest.mark.parametrize("where", ["controller", "builder"])
def test_bootlinux_before_and_after_the_build(tmp_path: Path, where: str) -> None:
    variables = {
        "bootlinux_spec": build_spec(make_tree(tmp_path / "linux")),
        "bootlinux_build_on": where,
        "bootlinux_builder": "toy",
        "bootlinux_directory": str(tmp_path / "kernels"),
        "bootlinux_direct_boot": True,
    }
    assert apply("bootlinux", tmp_path, variables, check=True) == 1
    assert not list((tmp_path / "kernels").glob("kernels/*"))
    indirect = variables | {"bootlinux_direct_boot": False}
    assert apply("bootlinux", tmp_path, indirect, check=True) == 2, "it would be installed, too"
    assert apply("bootlinux", tmp_path, variables, check=False) > 0
    assert apply("bootlinux", tmp_path, variables, check=True) == 0
    assert apply("bootlinux", tmp_path, variables, check=False) == 0


def test_bootlinux_of_a_guest_that_fits_and_of_one_that_does_not(tmp_path: Path) -> None:
    assert apply("bootlinux", tmp_path, booted(SEEN), check=True) == 0
    assert apply("bootlinux", tmp_path, booted(SEEN.replace("beef01", "beef02")), check=True) == 1
    assert apply("bootlinux", tmp_path, booted(SEEN.replace("=k1", "=k0")), check=True) == 1


@needs_root
@pytest.mark.parametrize("where", ["controller", "guest"])
def test_fstests(tmp_path: Path, where: str) -> None:
    tree = fstests_toy.make_tree(tmp_path / "xfstests")
    fstests_toy.commit(tree)
    variables = {
        **package_manager(tmp_path, HAVE_ALL),
        **fstests_toy.role_variables(tmp_path, tree, where),
    }
    (tmp_path / "opt").mkdir()
    assert apply("fstests", tmp_path, variables, check=True) == 2, "users and fstests"
    assert not (tmp_path / "users").exists()
    assert not tree_of(tmp_path / "opt")
    assert apply("fstests", tmp_path, variables, check=False) > 1
    variables["fstests_users"] = ["root"]
    assert apply("fstests", tmp_path, variables, check=True) == 0


@needs_root
def test_selftests(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("")
    subprocess.run(["tar", "-cf", tmp_path / "tests.tar", "one"], cwd=tmp_path, check=True)
    variables = {
        **package_manager(tmp_path, HAVE_ALL),
        "selftests_payload": str(tmp_path / "tests.tar"),
        "selftests_directory": str(tmp_path / "opt"),
        "selftests_run": False,
    }
    assert apply("selftests", tmp_path, variables, check=True) == 1
    assert not (tmp_path / "opt").exists()
    assert apply("selftests", tmp_path, variables, check=False) == 2
    assert apply("selftests", tmp_path, variables, check=True) == 0
    bare = variables | package_manager(tmp_path, "echo none; exit 1")
    assert apply("selftests", tmp_path, bare, check=True) == 1, "packages"


@pytest.mark.parametrize("role", ["nfsd", "smbd"])
def test_servers_that_are_not_installed(role: str, tmp_path: Path) -> None:
    export = {"device": "/dev/none", "path": str(tmp_path / "export"), "name": "x", "client": "127.0.0.1"}
    (tmp_path / "credentials").write_text("username=root\npassword=x\n")
    variables = {
        **package_manager(tmp_path, "echo none; exit 1"),
        f"{role}_exports": [export],
        "smbd_credentials_file": str(tmp_path / "credentials"),
    }
    assert apply(role, tmp_path, variables, check=True) == 1
    assert not (tmp_path / "done").exists()
    assert not (tmp_path / "export").exists()


def test_libvirt_that_is_not_installed(tmp_path: Path) -> None:
    variables = package_manager(tmp_path, "echo none; exit 1") | {
        "libvirt_configuration_directory": str(tmp_path / "none"),
        "libvirt_user": "root",
    }
    assert apply("libvirt", tmp_path, variables, check=True) == 1
    assert not (tmp_path / "done").exists()
