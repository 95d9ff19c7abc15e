"""What `kdevops doctor --terraform` says of a machine that has this and lacks that."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from kdevops.doctor.checks import Check
from kdevops.doctor.terraform import check_terraform
from kdevops.lab.cloud import facts_of
from kdevops.lab.clouds import cloud_names
from kdevops.lab.complaint import Complaint
from kdevops.paths import data_dir

ROOT = Path(__file__).parents[2]
CLOUDS = cloud_names()


def advice(cloud: str) -> Complaint:
    return facts_of(cloud).without_credentials


def look(cloud: str) -> tuple[Check, Check]:
    """The command line, and the credentials."""
    _, command, credentials = asyncio.run(check_terraform(cloud))
    return command, credentials


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has nothing."""
    for name in os.environ:
        if re.match(r"AWS_|GOOGLE_|ARM_|OCI_|OS_|TF_VAR_", name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    tool = tmp_path / "tofu"
    tool.write_text("#!/bin/sh\necho OpenTofu v1.10.0\n")
    tool.chmod(0o755)
    monkeypatch.setenv("KDEVOPS_TERRAFORM", str(tool))
    return tmp_path


def test_the_tool_alone(home: Path) -> None:
    (tool,) = asyncio.run(check_terraform(None))
    assert (tool.ok, tool.needed, tool.detail) == (True, True, f"OpenTofu 1.10.0, {home / 'tofu'}")


def test_without_the_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KDEVOPS_TERRAFORM")
    (tool,) = asyncio.run(check_terraform(None))
    assert (tool.ok, tool.needed, tool.detail) == (False, True, "neither terraform nor tofu is installed")
    assert tool.mend


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_machine_that_has_nothing_is_told_what_it_lacks_and_may_do_without(cloud: str) -> None:
    command, credentials = look(cloud)
    assert not any([command.ok, command.needed, credentials.ok, credentials.needed])
    assert "whether machines run" in command.detail
    assert "https://" in command.mend
    assert credentials.detail.startswith(advice(cloud).message)
    assert credentials.mend == advice(cloud).hint


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_command_is_the_one_that_the_module_wants_and_the_docs_name(cloud: str, home: Path) -> None:
    name = look(cloud)[0].name
    main = (data_dir("terraform") / cloud / "main.tf").read_text()
    assert re.search(rf'\[\s*"{name}"', main)
    assert re.search(rf"`{name}`", (ROOT / facts_of(cloud).docs.partition("#")[0]).read_text())
    (home / "bin").mkdir()
    (home / "bin" / name).touch(mode=0o755)
    assert look(cloud)[0] == Check(name, ok=True, detail=str(home / "bin" / name), needed=False)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_variable_is_seen_and_its_value_is_not_told(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in facts_of(cloud).credentials.variables:
        monkeypatch.setenv(name, "")
        assert not look(cloud)[1].ok, "set to nothing"
        monkeypatch.setenv(name, "s3cret")
        found = look(cloud)[1]
        assert (found.ok, found.detail, found.mend) == (True, f"found in {name}", "")
        monkeypatch.delenv(name)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_file_is_seen_and_not_read(cloud: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, file in enumerate(facts_of(cloud).credentials.files):
        name, variable = file.path, file.variable
        usual, other = home / name, home / f"other-{number}"
        usual.parent.mkdir(parents=True, exist_ok=True)
        usual.mkdir()  # which nobody could read
        assert look(cloud)[1].detail == f"found in {usual}"
        if variable:
            monkeypatch.setenv(variable, str(other))
            assert not look(cloud)[1].ok, "another one counts, and it is not there"
            other.touch()
            assert look(cloud)[1].detail == f"found in {other}"
            monkeypatch.delenv(variable)
        usual.rmdir()


@pytest.mark.parametrize(
    ("variables", "differ"),
    [
        ({"OCI_CLI_PROFILE": "lab"}, True),
        ({"OCI_CLI_PROFILE": "lab", "OCI_CONFIG_FILE_PROFILE": "other"}, True),
        ({"OCI_CONFIG_FILE_PROFILE": "lab"}, True),
        ({"OCI_CLI_PROFILE": "lab", "OCI_CONFIG_FILE_PROFILE": "lab"}, False),
        ({"OCI_CLI_PROFILE": "lab", "OCI_CONFIG_FILE_PROFILE": "x", "TF_VAR_config_file_profile": "lab"}, False),
        ({"OCI_CLI_PROFILE": "DEFAULT"}, False),
        ({"OCI_CLI_PROFILE": ""}, False),
    ],
)
def test_a_profile_that_the_command_of_oracle_alone_obeys_is_told(
    variables: dict[str, str], differ: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert len(asyncio.run(check_terraform("aws"))) == 3
    told = asyncio.run(check_terraform("oci"))[3:]
    assert len(told) == differ
    for check in told:
        assert (check.name, check.ok, check.needed) == ("profile of oci", False, False)
        assert set(re.findall(r"\w+_PROFILE", check.detail)) == {"OCI_CLI_PROFILE", "OCI_CONFIG_FILE_PROFILE"}
        assert "provider.variables.profile" in check.mend
