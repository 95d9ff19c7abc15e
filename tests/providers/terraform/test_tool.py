"""What Terraform is told and what is made of its answers; `terraform` here is a script that says what Terraform says."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError, KdevopsError, UserError
from kdevops.providers.terraform.tool import TerraformTool, find_tool
from tests.support.interrupted import interrupted

SCRIPT = r"""#!/bin/sh
echo "$*" >>"$SAID"
env >"$SAID.env"
case $1 in
version) echo "${VERSION:-Terraform v1.11.4}"; echo "on linux_amd64" ;;
plan) exit ${PLAN:-2} ;;
show) echo '{"resource_changes": []}' ;;
output) [ "$ODD" ] && { echo "$ODD"; exit 0; }
    echo '{"summary": {"sensitive": false, "type": "string", "value": "here"}}' ;;
state) [ "$NOTHING" ] && { echo "No state file was found!" >&2; exit 1; }
    printf 'aws_vpc.lab\ndata.aws_ami.debian\nmodule.x.data.aws_ami.y\naws_instance.node["x-1"]\n' ;;
apply) echo 'aws_vpc.lab: Creating...'; echo "Error: api error VpcLimitExceeded: The maximum number of VPCs has been reached." >&2
    exit 1 ;;
destroy) echo $$ >"$SAID.pid"; trap 'echo interrupted >>"$SAID"; sleep 0.5; echo saved >>"$SAID"; exit 1' INT
    sleep 60 & wait ;;
esac
"""


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("terraform", "tofu"):
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(SCRIPT)
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SAID", str(tmp_path / "said"))
    for name in ("KDEVOPS_TERRAFORM", "TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "said"


def tool(tmp_path: Path, lines: list[str] | None = None) -> TerraformTool:
    return TerraformTool(
        find_tool(None), tmp_path, tmp_path / "log", tmp_path / "plugins", lines.append if lines is not None else None
    )


def environment(said: Path) -> dict[str, str]:
    lines = Path(f"{said}.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_each_verb_is_one_command(tmp_path: Path, said: Path) -> None:
    async def all_of_it(it: TerraformTool) -> None:
        assert await it.check_version() == "Terraform 1.11.4"
        await it.init()
        assert await it.plan(tmp_path / "a plan")
        assert await it.show(tmp_path / "a plan") == {"resource_changes": []}
        assert await it.outputs() == {"summary": "here"}
        assert await it.resources() == ["aws_vpc.lab", 'aws_instance.node["x-1"]']

    asyncio.run(all_of_it(tool(tmp_path)))
    assert said.read_text().splitlines() == [
        "version",
        "init -no-color -input=false",
        f"plan -no-color -input=false -detailed-exitcode -out={tmp_path}/a plan -lock-timeout=100s -json",
        f"show -json -no-color {tmp_path}/a plan",
        "output -no-color -json",
        "state list",
    ]


def test_a_plan_without_changes_is_told(tmp_path: Path, said: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAN", "0")
    assert asyncio.run(tool(tmp_path).plan(tmp_path / "p", destroy=True)) is False
    assert " -destroy" in said.read_text()
    monkeypatch.setenv("PLAN", "1")
    with pytest.raises(InfrastructureError, match="terraform plan failed"):
        asyncio.run(tool(tmp_path).plan(tmp_path / "p"))


def test_without_a_state_there_are_no_resources(tmp_path: Path, said: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTHING", "1")
    assert asyncio.run(tool(tmp_path).resources()) == []


def test_the_environment_is_ours_where_it_matters_and_the_users_otherwise(
    tmp_path: Path, said: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TF_WORKSPACE", "TF_CLI_ARGS", "TF_CLI_ARGS_plan", "TF_DATA_DIR"):
        monkeypatch.setenv(name, "/somewhere/else")
    monkeypatch.setenv("TF_CLI_ARGS_init", "-plugin-dir=/mirror")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    asyncio.run(tool(tmp_path).check_version())
    found = environment(said)
    assert not {"TF_WORKSPACE", "TF_CLI_ARGS", "TF_CLI_ARGS_plan"} & found.keys()
    assert found["TF_DATA_DIR"] == str(tmp_path / ".terraform")
    assert (found["TF_INPUT"], found["TF_IN_AUTOMATION"], found["CHECKPOINT_DISABLE"]) == ("0", "1", "1")
    assert (found["TF_CLI_ARGS_init"], found["AWS_PROFILE"]) == ("-plugin-dir=/mirror", "mine")


@pytest.mark.parametrize("how", ["nothing", "variable", "file", "home"])
def test_a_plugin_cache_of_the_users_is_left(
    tmp_path: Path, said: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    config = tmp_path / ("home/.terraformrc" if how == "home" else "my.tfrc")
    config.parent.mkdir(exist_ok=True)
    config.write_text('  plugin_cache_dir   = "/my/cache"\n')
    if how == "variable":
        monkeypatch.setenv("TF_PLUGIN_CACHE_DIR", "/my/cache")
    if how == "file":
        monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(config))
    asyncio.run(tool(tmp_path).init())
    expected = {"nothing": str(tmp_path / "plugins"), "variable": "/my/cache"}.get(how)
    assert environment(said).get("TF_PLUGIN_CACHE_DIR") == expected


@pytest.mark.parametrize(
    ("version", "fine"),
    [
        ("Terraform v1.5.0", True), ("Terraform v1.4.6", False), ("Terraform v2.0.0-alpha1", True),
        ("OpenTofu v1.6.0", True), ("OpenTofu v1.5.9", False), ("Terraform v0.15.5", False),
    ],
)  # fmt: skip
def test_a_version_that_is_too_old_is_refused(
    tmp_path: Path, said: Path, monkeypatch: pytest.MonkeyPatch, version: str, fine: bool
) -> None:
    monkeypatch.setenv("VERSION", version)
    if fine:
        assert asyncio.run(tool(tmp_path).check_version()) == version.replace(" v", " ")
    else:
        with pytest.raises(UserError, match="too old"):
            asyncio.run(tool(tmp_path).check_version())


def test_what_is_no_terraform_is_refused(tmp_path: Path, said: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERSION", "GNU coreutils 9")
    with pytest.raises(UserError, match="does not say that it is Terraform"):
        asyncio.run(tool(tmp_path).check_version())


def test_a_failure_is_translated_and_all_of_it_is_in_the_log(tmp_path: Path, said: Path) -> None:
    lines: list[str] = []
    with pytest.raises(UserError, match="VpcLimitExceeded") as error:
        asyncio.run(tool(tmp_path, lines).apply(tmp_path / "p"))
    assert error.value.log == tmp_path / "log"
    assert "Creating..." in (tmp_path / "log").read_text()
    assert "aws_vpc.lab: Creating..." in lines


@pytest.mark.parametrize("odd", ["[]", "no JSON", '"x"'])
def test_odd_outputs_are_an_error(tmp_path: Path, said: Path, monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    monkeypatch.setenv("ODD", odd)
    with pytest.raises(InfrastructureError, match="print"):
        asyncio.run(tool(tmp_path).outputs())


def test_who_is_interrupted_may_write_its_state(tmp_path: Path, said: Path) -> None:
    began = time.monotonic()
    asyncio.run(interrupted(tool(tmp_path).destroy(), Path(f"{said}.pid").exists))
    assert said.read_text().splitlines()[-2:] == ["interrupted", "saved"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path(f"{said}.pid").read_text()), signal.SIGCONT)
    assert time.monotonic() - began < 30


def test_only_a_command_that_ran_out_of_time_is_called_late_whatever_words_its_path_has(tmp_path: Path) -> None:
    gone = tmp_path / "it did not finish" / "terraform"
    missing = TerraformTool(gone, tmp_path, tmp_path / "log", tmp_path / "plugins", None)
    with pytest.raises(KdevopsError) as error:
        asyncio.run(missing.init())
    assert "is not installed" in error.value.message


def test_the_tool_is_the_labs_then_the_environments_then_that_of_path(
    tmp_path: Path, said: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_tool(None) == tmp_path / "bin/terraform"
    (tmp_path / "bin/terraform").rename(tmp_path / "bin/renamed")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_tool(None) == tmp_path / "bin/tofu"
    monkeypatch.setenv("KDEVOPS_TERRAFORM", str(tmp_path / "bin/renamed"))
    assert find_tool(None) == tmp_path / "bin/renamed"
    assert find_tool("tofu") == tmp_path / "bin/tofu"
    with pytest.raises(UserError, match=r"provider\.tool names nothing"):
        find_tool("nothing")
    monkeypatch.setenv("KDEVOPS_TERRAFORM", "nowhere")
    with pytest.raises(UserError, match="KDEVOPS_TERRAFORM names nowhere"):
        find_tool(None)
    monkeypatch.delenv("KDEVOPS_TERRAFORM")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UserError, match="neither terraform nor tofu"):
        find_tool(None)
