"""Guests are found and stopped when files of their lab are gone: machines in a cloud cost money."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdevops.__main__ import main
from kdevops.lab.arms import arms
from kdevops.lab.load import load_lab
from kdevops.lab.model import Lab
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.providers.terraform import record as terraform_record
from kdevops.providers.terraform.machines import TerraformMachines
from kdevops.run.dirs import Dirs
from kdevops.run.live_labs import remember
from tests.cli.test_clouds import TOY, WITH_TERRAFORM

LAB: dict[str, Any] = {
    "name": "gone",
    "guests": {"count": 2, "disks": [{"size": "1GiB", "count": 5}]},
    "kernel": {
        "source": {"path": "linux"},
        "patches": ["fix.patch"],
        "config": {"base": "my/.config", "fragments": ["extra.config"]},
    },
    "compare": {"kernel": {"source": {"tarball": "linux.tar.xz"}}},
    "suites": {
        "fstests": {
            "source": {"path": "fstests"},
            "profiles": ["mine"],
            "profile_files": ["mine.config"],
            "expunges": ["expunges"],
            "tests": ["generic/001"],
        }
    },
    "baseline": "known",
}


def hosts(*ports: int) -> dict[str, Any]:
    return {"type": "hosts", "hosts": [{"address": "127.0.0.1", "port": port, "key": "id"} for port in ports]}


PROVIDERS: dict[str, dict[str, Any]] = {
    "qemu": {"provider": {"type": "qemu"}},
    "hosts": {"provider": hosts(1, 2), "compare": {**LAB["compare"], "provider": hosts(3, 4)}},
    "terraform": {"provider": {"type": "terraform", "module": "machines"}},
}


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KDEVOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KDEVOPS_LAB", raising=False)


def write(**changes: Any) -> Path:
    path = Path("lab.yaml")
    path.write_text(yaml.safe_dump({name: value for name, value in (LAB | changes).items() if value is not None}))
    return path.absolute()


def brought_up(lab: Lab, path: Path) -> None:
    """The lab as it is kept when its guests come up."""
    remember(arms(lab), Dirs.default(), path)


def names(capsys: pytest.CaptureFixture[str], verb: str, *arguments: str) -> list[str]:
    assert main([verb, *arguments, "--json"]) == 0, capsys.readouterr().err
    return [guest["name"] for guest in json.loads(capsys.readouterr().out)]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("verb", ["status", "down"])
def test_files_that_the_lab_names_may_be_gone(capsys: pytest.CaptureFixture[str], verb: str, provider: str) -> None:
    write(**PROVIDERS[provider], guests={"count": 2})
    assert names(capsys, verb) == ["gone-1", "gone-2", "gone-dev-1", "gone-dev-2"]
    assert main(["lab", "validate"]) == 2, "and a run needs them"
    assert "no such file or directory:" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["status", "down"])
@pytest.mark.parametrize("named", [(), ("lab.yaml",), ("gone",)])
def test_the_lab_file_may_be_gone(capsys: pytest.CaptureFixture[str], verb: str, named: tuple[str, ...]) -> None:
    path = write(guests={"count": 3})
    brought_up(load_lab(path, check_files=False).lab, path)
    path.unlink()
    assert names(capsys, verb, *named) == [f"gone-{n}" for n in (1, 2, 3)] + [f"gone-dev-{n}" for n in (1, 2, 3)]


def test_one_kernel_is_remembered_as_well_as_two(capsys: pytest.CaptureFixture[str]) -> None:
    path = write(compare=None)
    brought_up(load_lab(path, check_files=False).lab, path)
    path.unlink()
    assert names(capsys, "status", "gone") == ["gone-1", "gone-2"]
    assert main(["status", "another"]) == 2
    told = capsys.readouterr().err
    assert "another: no such lab file" in told
    assert "can also be given by name: gone" in told


def test_a_lab_file_that_cannot_be_read_any_more_is_got_round_by_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    path = write(compare=None)
    brought_up(load_lab(path, check_files=False).lab, path)
    path.write_text("name: gone\nguests: {cuont: 2}\n")
    assert main(["down"]) == 2
    assert "can also be given by name: gone" in capsys.readouterr().err
    assert names(capsys, "down", "gone") == ["gone-1", "gone-2"]


def test_of_two_labs_from_one_file_one_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    path = write(compare=None)
    for name in ("one", "two"):
        brought_up(load_lab(path, [f"name={name}"], check_files=False).lab, path)
    path.unlink()
    assert main(["down"]) == 2
    assert "several labs came from it: one, two" in capsys.readouterr().err
    assert names(capsys, "down", "two") == ["two-1", "two-2"]


@WITH_TERRAFORM
def test_machines_are_destroyed_without_their_module_their_tool_and_their_lab_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(TOY, "machines")
    found = shutil.which("terraform") or shutil.which("tofu")
    assert found
    Path("tool").symlink_to(found)
    provider = {"type": "terraform", "module": "machines", "allow": ["192.0.2.0/24"], "tool": str(tmp_path / "tool")}
    path = write(provider=provider, compare=None, suites=None, kernel=None, guests={"count": 2})
    lab = load_lab(path).lab
    brought_up(lab, path)
    directory = LabDirectory(Dirs.default().lab("gone"))
    made = TerraformMachines(lab, directory, lambda _: None, confirm=lambda _: True)
    asyncio.run(made.start(lab.guest_names()))
    record = terraform_record.load(directory.path)
    assert record
    terraform_record.save(directory.path, record.model_copy(update={"tool": found}))
    shutil.rmtree("machines")
    Path("tool").unlink()
    path.unlink()
    assert names(capsys, "down", "gone") == ["gone-1", "gone-2"]
    assert terraform_record.load(directory.path) is None
    assert json.loads((directory.path / "terraform/terraform.tfstate").read_text())["resources"] == []
