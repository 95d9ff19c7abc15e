from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from kdevops.guest.ssh import SshTarget
from kdevops.lab.arms import arms
from kdevops.lab.model import Lab
from kdevops.provision.inventory import ServerHost, render

LAB = Lab.model_validate({"name": "demo", "suites": {"selftests": {"targets": ["futex"]}, "kunit": {}}})


def target(name: str = "demo-1", port: int = 2222) -> SshTarget:
    return SshTarget(name, "127.0.0.1", port, "root", Path("/lab/key"), Path("/lab/known hosts"), Path("/run/kd/c"))


def test_groups_and_variables_as_ansible_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yml"
    path.write_text(render(LAB, [target(), target("demo-1-dev", 2223)], {"kdevops_lab_file": "/lab/lab.yaml"}))
    tool = Path(sys.executable).parent / "ansible-inventory"
    listed = json.loads(subprocess.run([tool, "-i", path, "--list"], check=True, capture_output=True).stdout)
    assert listed["baseline"]["hosts"] == ["demo-1"]
    assert listed["dev"]["hosts"] == ["demo-1-dev"]
    assert listed["selftests"]["hosts"] == listed["kunit"]["hosts"] == ["demo-1", "demo-1-dev"]
    host = listed["_meta"]["hostvars"]["demo-1"]
    assert (host["ansible_host"], host["ansible_port"], host["ansible_user"]) == ("127.0.0.1", 2222, "root")
    assert host["ansible_pipelining"] is True
    assert host["kdevops_lab_file"] == "/lab/lab.yaml"


def test_each_arm_of_a_lab_with_two_kernels_is_a_group_of_its_own() -> None:
    lab = Lab.model_validate({"name": "demo", "guests": {"count": 2}, "compare": {"kernel": {"cmdline": "quiet"}}})
    found = {}
    for arm in arms(lab):
        children = yaml.safe_load(render(arm, [target(name) for name in arm.guest_names()]))["all"]["children"]
        found[arm.name] = {name: list(children[name]["hosts"]) for name in ("baseline", "dev")}
    assert found == {
        "demo": {"baseline": ["demo-1", "demo-2"], "dev": []},
        "demo-dev": {"baseline": [], "dev": ["demo-dev-1", "demo-dev-2"]},
    }


def test_a_suite_that_is_not_run_has_no_group() -> None:
    lab = Lab.model_validate({"name": "demo", "suites": {"kunit": {}}})
    assert set(yaml.safe_load(render(lab, [target()]))["all"]["children"]) == {"baseline", "dev", "kunit"}


def test_whoever_is_not_root_becomes_root() -> None:
    (host,) = yaml.safe_load(render(LAB, [replace(target(), user="me")]))["all"]["hosts"].values()
    assert (host["ansible_user"], host["ansible_become"]) == ("me", True)
    assert "ansible_become" not in yaml.safe_load(render(LAB, [target()]))["all"]["hosts"]["demo-1"]


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=30))
def test_whatever_stands_in_a_path_reaches_ssh_as_one_word(name: str) -> None:
    host = replace(target(), key=Path("/") / name)
    arguments = yaml.safe_load(render(LAB, [host]))["all"]["hosts"]["demo-1"]["ansible_ssh_args"]
    assert ["ssh", *shlex.split(arguments), "127.0.0.1"] == host.argv()


def test_a_server_is_in_the_group_of_its_role_alone(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yml"
    server = ServerHost("nfsd", target("demo-nfsd", 2224), {"nfsd_exports": [{"path": "/export/demo-1/test"}]})
    path.write_text(render(LAB, [target()], servers=[server]))
    tool = Path(sys.executable).parent / "ansible-inventory"
    listed = json.loads(subprocess.run([tool, "-i", path, "--list"], check=True, capture_output=True).stdout)
    assert listed["nfsd"]["hosts"] == ["demo-nfsd"]
    assert all("demo-nfsd" not in group.get("hosts", []) for name, group in listed.items() if name != "nfsd")
    hosts = listed["_meta"]["hostvars"]
    assert hosts["demo-nfsd"]["nfsd_exports"] == [{"path": "/export/demo-1/test"}]
    assert hosts["demo-nfsd"]["ansible_port"] == 2224
    assert "nfsd_exports" not in hosts["demo-1"]
