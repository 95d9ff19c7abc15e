"""Terraform for real, in a cloud that is this machine: up, our kernel, tests, a machine that is taken away, and nothing left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import RUN_SECONDS, Kdevops, free_port, shared_lab, wait_until

MODULE = Path(__file__).parent / "terraform_qemu"
SLOWNESS = 8
"""How much slower an emulated guest is taken to be than a machine of a cloud."""
SCRIPTS = {
    "has-its-disk": "[ $(blockdev --getsize64 /dev/disk/by-id/virtio-kd-0) = 1073741824 ]",
    **{f"lingers-{number}": f"echo lingers-{number} >/dev/ttyS0; sleep 8" for number in range(4)},
}
SELFTESTS = ("size:*", "kcmp:*")
Lab = Callable[..., Path]

pytestmark = [
    pytest.mark.xdist_group("terraform"),
    pytest.mark.skipif(
        not (shutil.which("terraform") or shutil.which("tofu")), reason="neither terraform nor tofu is here"
    ),
]


def machines_below(directory: Path) -> list[str]:
    """The QEMU processes of this cloud."""
    found = subprocess.run(["pgrep", "-af", str(directory)], capture_output=True, text=True, check=False).stdout
    return [line for line in found.splitlines() if "qemu-system" in line]


def begun(directory: Path) -> list[str]:
    """The machines on which a test said that it lingers."""
    consoles = sorted(directory.glob("*/console"))
    return [path.parent.name for path in consoles if "lingers" in path.read_text(errors="replace")]


def resources(kdevops: Kdevops, name: str) -> list[Any]:
    """What there is in the state of a lab."""
    found: list[Any] = json.loads((kdevops.state / f"labs/{name}/terraform/terraform.tfstate").read_text())["resources"]
    return found


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disk of our own box, which boots by GRUB and systemd as the images of clouds do."""
    directory = tmp_path_factory.mktemp("box")
    path = directory / "lab.yaml"
    path.write_text(yaml.safe_dump(shared_lab()))
    made = Kdevops(directory / "state")("image", "box", path, "--json", check=0)
    subprocess.run(["tar", "-xf", made.data["path"], "-C", directory, "box.img"], check=True)
    return directory / "box.img"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Path]:
    """Where the machines are; none of them outlives the test."""
    path = tmp_path / "cloud"
    path.mkdir()
    yield path
    for home in path.iterdir():
        subprocess.run([MODULE / "machine.sh", "destroy", home], check=True, timeout=60)


@pytest.fixture
def lab(tmp_path: Path, kdevops: Kdevops, cloud: Path, box: Path) -> Iterator[Lab]:
    """Make a lab in this cloud that has the shared kernel; its machines are given back at the end."""
    made: list[Path] = []

    def write(name: str, *, count: int = 2, scripts: Mapping[str, str] = SCRIPTS, **variables: Any) -> Path:
        ports = {f"{name}-{number}": free_port() for number in range(1, count + 1)}
        text = shared_lab()
        text["name"] = name
        text["provider"] = {
            "type": "terraform", "module": str(MODULE), "allow": ["127.0.0.0/8"], "slowness": SLOWNESS, "boot_timeout": 90,
            "variables": {"directory": str(cloud), "box": str(box), "ports": ports, **variables},
        }  # fmt: skip
        text["guests"] = {"count": count, "cpus": 1, "memory": "1GiB", "disks": [{"size": "1GiB"}]}
        text["suites"]["commands"] = {"tests": dict(scripts), "timeout": 20}
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(text))
        made.append(path)
        return path

    yield write
    for path in made:
        kdevops("down", path, timeout=300)


def test_two_machines_run_our_kernel_one_is_taken_away_and_nothing_is_left(
    kdevops: Kdevops, lab: Lab, cloud: Path
) -> None:
    path = lab("cloud")
    refused = kdevops("up", path, check=2)
    assert "--yes" in refused.stderr
    assert "4 terraform_data: cloud-1, cloud-2" in refused.stderr, "what would have been made is shown"
    assert not list(cloud.iterdir())

    began = time.monotonic()
    up = kdevops("up", path, "--yes", "--json", check=0)
    print(f"up: {time.monotonic() - began:.0f} s")
    assert [(guest["name"], guest["state"]) for guest in up.data] == [("cloud-1", "running"), ("cloud-2", "running")]
    assert all(guest["kernel"] and guest["expires"] for guest in up.data)
    assert "6.1." in kdevops("ssh", "cloud-1", "uname", "-r", check=0).stdout
    assert "to be gone by" in kdevops("status", path, check=0).stdout

    began = time.monotonic()
    process = kdevops.start("run", path, "commands/*", *SELFTESTS, "--keep", "--json")
    wait_until(lambda: begun(cloud), "no test began", seconds=RUN_SECONDS)
    victim, *_ = begun(cloud)
    subprocess.run([MODULE / "machine.sh", "take", cloud / victim], check=True, timeout=60)
    stdout, stderr = process.communicate(timeout=RUN_SECONDS)
    print(f"run: {time.monotonic() - began:.0f} s")
    assert process.returncode == 0, stderr[-3000:]
    statuses = {each["name"]: each["status"] for each in json.loads(stdout)["tests"]}
    assert {name: statuses[name] for name in SCRIPTS} == dict.fromkeys(SCRIPTS, "pass")
    assert len(statuses) > len(SCRIPTS)
    assert set(statuses.values()) <= {"pass", "skip"}, statuses
    assert "taken away" in stderr
    states = {each["name"]: each["state"] for each in kdevops("status", path, "--json", check=0).data}
    assert states.pop(victim) == "terminated"
    assert list(states.values()) == ["running"]

    kdevops("down", path, check=0)
    assert resources(kdevops, "cloud") == []
    assert not machines_below(cloud)
    assert not list(cloud.iterdir())
    assert kdevops("gc", "--json", check=0).data["labs"] == []


def test_an_up_that_was_killed_is_cleaned_by_down(kdevops: Kdevops, lab: Lab, cloud: Path) -> None:
    path = lab("killed", slow=60)
    process = kdevops.start("up", path, "--yes")
    wait_until((cloud / "killed-1/pid").exists, "no machine was begun", seconds=240)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert machines_below(cloud)
    kdevops("down", path, check=0)
    assert resources(kdevops, "killed") == []
    assert not machines_below(cloud)
    assert not list(cloud.iterdir())
