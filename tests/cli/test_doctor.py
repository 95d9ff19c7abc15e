from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

from kdevops.cli import doctor as module
from kdevops.doctor import examine, option, packages
from kdevops.doctor import vagrant as doctor_vagrant
from kdevops.doctor.checks import Check
from kdevops.doctor.option import DoctorOption
from kdevops.doctor.packages import Need
from kdevops.errors import InfrastructureError
from kdevops.lab.terraform import Cloud
from kdevops.lab.vagrant import Vagrant
from kdevops.paths import state_dir
from kdevops.run.guests.kinds import KINDS, Kind

QEMU = Need("qemu-img", "qemu-utils", command=True)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[Need]:
    """What is missing; installing empties it."""
    missing: list[Need] = []

    async def ask(*, suites: tuple[str, ...], libvirt: bool) -> tuple[Need, ...]:
        return tuple(missing)

    async def install(**_: object) -> None:
        missing.clear()

    async def probe(_: object) -> object:
        raise InfrastructureError("QEMU does not start", hint="mend QEMU")

    monkeypatch.setattr(packages, "missing", ask)
    monkeypatch.setattr(packages, "install", install)
    monkeypatch.setattr(examine, "probe", probe)
    return missing


def test_missing_packages_exit_3_and_name_the_mending_command(machine: list[Need]) -> None:
    machine.append(QEMU)
    result = CliRunner().invoke(module.doctor, ["--packages"])
    assert result.exit_code == 3
    assert "MISSING qemu-img  missing, package qemu-utils provides it" in result.output
    assert result.output.endswith("To fix it:\n  kdevops doctor --install\n")


def test_what_fstests_lacks_is_mended_with_it(machine: list[Need]) -> None:
    machine.append(Need("libaio.h", "libaio-dev"))
    result = CliRunner().invoke(module.doctor, ["--packages", "--fstests"])
    assert result.output.endswith("To fix it:\n  kdevops doctor --fstests --install\n")


def test_what_vagrant_lacks_is_mended_with_it(machine: list[Need]) -> None:
    machine.append(Need("virsh", "libvirt-clients", command=True))
    result = CliRunner().invoke(module.doctor, ["--packages", "--vagrant"])
    assert result.output.endswith("To fix it:\n  kdevops doctor --vagrant --install\n")


@pytest.fixture
def libvirt(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is wrong with Vagrant; installing mends libvirt."""
    wrong = ["libvirt"]

    async def check(backend: str) -> list[Check]:
        return [Check(backend, ok=backend not in wrong, detail="looked at", mend="kdevops doctor --vagrant --install")]

    async def install(*, libvirt: bool, **_: object) -> None:
        assert libvirt
        wrong.clear()

    monkeypatch.setattr(doctor_vagrant, "check_vagrant", check)
    monkeypatch.setattr(packages, "install", install)
    return wrong


def test_vagrant_is_looked_at_when_asked_for(machine: list[Need], libvirt: list[str]) -> None:
    assert "looked at" not in CliRunner().invoke(module.doctor).output
    assert "MISSING libvirt" in CliRunner().invoke(module.doctor, ["--vagrant"]).output
    assert "ok      virtualbox" in CliRunner().invoke(module.doctor, ["--vagrant", "virtualbox"]).output


def test_terraform_is_looked_at_when_asked_for(
    machine: list[Need], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KDEVOPS_TERRAFORM", raising=False)
    assert "tofu" not in CliRunner().invoke(module.doctor).output
    result = CliRunner().invoke(module.doctor, ["--terraform"])
    assert "MISSING terraform or tofu  neither terraform nor tofu is installed" in result.output
    assert "aws" not in result.output
    tool = tmp_path / "my-tofu"
    tool.write_text("#!/bin/sh\necho OpenTofu v1.10.0\n")
    tool.chmod(0o755)
    monkeypatch.setenv("KDEVOPS_TERRAFORM", str(tool))
    result = CliRunner().invoke(module.doctor, ["--terraform", "openstack"])
    assert f"OpenTofu 1.10.0, {tool}" in result.output
    assert "note    openstack" in result.output
    assert "there are no credentials for OpenStack" in result.output
    tool.write_text("#!/bin/sh\necho OpenTofu v1.5.9\n")
    assert (
        "OpenTofu 1.5 is too old, at least 1.6 is needed" in CliRunner().invoke(module.doctor, ["--terraform"]).output
    )


def test_what_is_no_cloud_is_answered_with_the_clouds(machine: list[Need]) -> None:
    result = CliRunner().invoke(module.doctor, ["--terraform", "foo"])
    assert result.exit_code == 2
    assert "'openstack'" in result.output
    assert "none" not in result.output


def test_it_takes_what_every_verb_takes(machine: list[Need], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDEVOPS_STATE", "/elsewhere")
    result = CliRunner().invoke(module.doctor, ["--packages", "--state", str(tmp_path), "-v"])
    assert result.exit_code == 0
    assert state_dir() == tmp_path


def test_the_choices_are_those_of_lab_files() -> None:
    options = {option.name: option.type for option in module.doctor.params}
    assert set(options["terraform"].choices) == set(get_args(Cloud))
    assert set(options["vagrant"].choices) == set(get_args(Vagrant.model_fields["backend"].annotation))


class ToyKind(Kind):
    """A kind that has something to check."""

    def doctor_option(self) -> DoctorOption:
        async def checks(choice: str) -> list[Check]:
            return [Check("toy", ok=choice == "small", detail=f"a {choice} one")]

        return DoctorOption(("small", "large"), "small", "Also check toys.", checks)


def test_a_kind_of_provider_brings_its_option(machine: list[Need], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "toy", ToyKind())
    doctor = module.command()
    assert "--toy [small|large]" in CliRunner().invoke(doctor, ["--help"]).output
    assert "toy" not in CliRunner().invoke(doctor).output
    assert "ok      toy              a small one" in CliRunner().invoke(doctor, ["--toy"]).output
    assert "MISSING toy              a large one" in CliRunner().invoke(doctor, ["--toy", "large"]).output
    assert CliRunner().invoke(doctor, ["--toy", "huge"]).exit_code == 2


def test_a_suite_whose_role_names_its_tools_has_an_option(machine: list[Need], monkeypatch: pytest.MonkeyPatch) -> None:
    assert option.suites_with_tools() == ("fstests",)
    monkeypatch.setattr(module, "suites_with_tools", lambda: ("fstests", "toys"))
    machine.append(QEMU)
    result = CliRunner().invoke(module.command(), ["--packages", "--toys"])
    assert result.output.endswith("To fix it:\n  kdevops doctor --toys --install\n")


def test_libvirt_is_set_up_though_no_package_is_missing(machine: list[Need], libvirt: list[str]) -> None:
    assert "ok      libvirt" in CliRunner().invoke(module.doctor, ["--vagrant", "--install"]).output


def test_install_mends_it(machine: list[Need]) -> None:
    machine.append(QEMU)
    result = CliRunner().invoke(module.doctor, ["--packages", "--install"])
    assert result.exit_code == 0
    assert result.output.startswith("ok      packages  ")
    assert len(result.output.splitlines()) == 1


def test_json_has_every_finding(machine: list[Need]) -> None:
    result = CliRunner().invoke(module.doctor, ["--json"])
    told = json.loads(result.stdout)
    names = [check["name"] for check in told["checks"]]
    assert names == ["packages", "user namespaces", "disk space", "memory", "/dev/kvm", "acceleration"]
    assert told["ok"] is False
    assert told["checks"][-1]["mend"] == "mend QEMU"
    assert result.exit_code == 3


def test_nothing_heavy_is_imported_to_show_the_help() -> None:
    code = "import sys, kdevops.cli.doctor; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"yaml", "ansible_runner", "pydantic", "rich"} & set(loaded)


def test_a_kernel_that_may_not_be_read_is_no_kernel(tmp_path: Path) -> None:
    assert not examine._readable(tmp_path / "none")
    (tmp_path / "vmlinuz").write_bytes(b"x")
    assert examine._readable(tmp_path / "vmlinuz")
