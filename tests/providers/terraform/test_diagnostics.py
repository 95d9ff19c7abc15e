"""Terraform's diagnostics, read from what it prints with -json and without, and from the real tool."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.providers.terraform.diagnostics import Diagnostic, diagnostics_in, read_line
from kdevops.providers.terraform.tool import TerraformTool
from tests.terraform.tool import tool

MODULE = """
variable "disks" {
  type    = number
  default = 1
  validation {
    condition     = var.disks < 5
    error_message = "Of disks there are 4 at most: ask for fewer."
  }
}
variable "spot" {
  type    = bool
  default = false
}
resource "terraform_data" "node" {
  input = var.disks
  lifecycle {
    precondition {
      condition     = !var.spot || var.disks < 2
      error_message = "A spot machine has one disk.\\n\\nQuota exceeded, says the cloud: no spot."
    }
  }
}
output "disks" {
  value = var.disks
  precondition {
    condition     = var.disks != 3
    error_message = "Three is not a number of disks."
  }
}
"""
BOXED = """\
Initializing the backend...
╷
│ Warning: Something old
│
│ It goes on.
╵
╷
│ Error: Invalid value for variable
│
│   on cloud.tf line 20:
│   20: variable "disk_type" {
│     ├────────────────
│     │ var.disk_type is "floppy"
│
│ No such disk type.
│
│ This was checked by the validation rule at cloud.tf:26,3-13.
╵
╷
│ Error: creating EC2 Instance: a summary of
│ two lines
│
│   with aws_instance.node["x-1"],
│   on main.tf line 3, in resource "aws_instance" "node":
│    3: resource "aws_instance" "node" {
│
╵
Releasing state lock. This may take a few moments...
"""


def line_of(**diagnostic: Any) -> str:
    return json.dumps({"@level": "error", "@message": "Error: x", "type": "diagnostic", "diagnostic": diagnostic})


def test_a_box_is_read_without_source_code_and_values() -> None:
    warning, refused, failed = diagnostics_in(BOXED)
    assert (warning.summary, warning.is_error) == ("Something old", False)
    assert refused == Diagnostic(
        "Invalid value for variable",
        "No such disk type.\n\nThis was checked by the validation rule at cloud.tf:26,3-13.",
        place="cloud.tf line 20",
    )
    assert failed == Diagnostic(
        "creating EC2 Instance: a summary of two lines", "", 'aws_instance.node["x-1"]', "main.tf line 3"
    )


def test_the_same_without_a_box() -> None:
    plain = "\n".join(line[1:].removeprefix(" ") if line[0] in "│╷╵" else line for line in BOXED.splitlines())
    assert [each.summary for each in diagnostics_in(plain)] == [each.summary for each in diagnostics_in(BOXED)]
    assert diagnostics_in(plain)[1].detail == diagnostics_in(BOXED)[1].detail


@pytest.mark.parametrize(
    ("diagnostic", "expected"),
    [
        ({"severity": "error", "summary": "S", "detail": "D"}, Diagnostic("S", "D")),
        ({"summary": "S"}, Diagnostic("S")),
        ({"detail": "D"}, Diagnostic("D")),
        ({"severity": "warning", "summary": "S", "address": None, "range": {}}, Diagnostic("S", is_error=False)),
        (
            {"summary": "S", "address": "a.b", "range": {"filename": "m.tf", "start": {"line": 7}}},
            Diagnostic("S", address="a.b", place="m.tf line 7"),
        ),
        ({"summary": "S", "range": {"filename": 3, "start": []}, "detail": 5}, Diagnostic("S")),
    ],
)
def test_versions_may_differ_in_all_but_the_summary(diagnostic: dict[str, Any], expected: Diagnostic) -> None:
    assert read_line(line_of(**diagnostic))[1] == expected


def test_a_line_that_is_not_a_diagnostic_is_its_message() -> None:
    assert read_line('{"@level":"info","@message":"aws_vpc.lab: Creating..."}') == (["aws_vpc.lab: Creating..."], None)
    assert read_line('{"@message":"\\nInterrupt received.\\nPlease wait\\n"}') == (
        ["Interrupt received.", "Please wait"], None,
    )  # fmt: skip
    for odd in ("{", "{}", '{"diagnostic": 3}', "[1]", "text", ""):
        assert read_line(odd) == ([odd], None)


def test_a_line_that_was_cut_keeps_what_there_is() -> None:
    whole = line_of(severity="error", summary='S "quoted"', detail="D\n" + "é" * 30_000)
    found = read_line(whole[:16_384] + " [kdevops: the line is cut here]")[1]
    assert found
    assert found.summary == 'S "quoted"'
    assert found.detail.startswith("D\né")


SUMMARIES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60).filter(str.strip)


@given(st.lists(st.tuples(SUMMARIES, st.text(max_size=80), st.booleans()), max_size=5))
def test_what_is_written_as_json_is_read_again(wanted: list[tuple[str, str, bool]]) -> None:
    lines = [
        line_of(severity="error" if fatal else "warning", summary=summary, detail=detail)
        for summary, detail, fatal in wanted
    ]
    found = diagnostics_in("\n".join(lines))
    assert [(each.summary, each.is_error) for each in found] == [(summary, fatal) for summary, _, fatal in wanted]
    assert all(each.words.startswith(" ".join(each.summary.split())) for each in found)


@given(st.text(max_size=400) | st.lists(st.sampled_from(BOXED.splitlines()), max_size=20).map("\n".join))
def test_any_text_is_read(text: str) -> None:
    for each in diagnostics_in(text):
        assert isinstance(each.words, str)
        assert diagnostics_in("\n".join(each.lines()))


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TerraformTool:
    """A module of our own below the real tool; what it needs is built into it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TF_CLI_CONFIG_FILE", raising=False)
    root = tmp_path / "root"
    root.mkdir()
    (root / "main.tf").write_text(MODULE)
    return TerraformTool(Path(tool()), root, tmp_path / "log", tmp_path / "plugins")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"disks": 9}, "Invalid value for variable: Of disks there are 4 at most: ask for fewer."),
        (
            {"disks": 2, "spot": True},
            "Resource precondition failed: A spot machine has one disk. Quota exceeded, says the cloud: no spot.",
        ),
        ({"disks": 3}, "Module output value precondition failed: Three is not a number of disks."),
        ({"disks": "many"}, "Invalid value for input variable: "),
    ],
)
def test_a_value_that_the_module_refuses_is_the_users_to_change(
    real: TerraformTool, tmp_path: Path, values: dict[str, Any], words: str
) -> None:
    async def plan() -> None:
        await real.init()
        await real.plan(tmp_path / "plan")

    (real.root / "terraform.tfvars.json").write_text(json.dumps(values))
    with pytest.raises(UserError) as error:
        asyncio.run(plan())
    assert error.value.exit_code == 2
    assert words in error.value.message
    assert "lab.yaml" in (error.value.hint or "")
    log = (tmp_path / "log").read_text()
    assert words.partition(": ")[2].partition(". ")[0] in log
    assert '"@level"' not in log


def test_what_is_done_is_told_as_text_for_people(real: TerraformTool, tmp_path: Path) -> None:
    lines: list[str] = []
    it = TerraformTool(real.binary, real.root, real.log, real.plugins, lines.append)

    async def all_of_it() -> None:
        await it.init()
        assert await it.plan(tmp_path / "plan")
        await it.apply(tmp_path / "plan")
        assert await it.resources() == ["terraform_data.node"]
        await it.destroy()
        assert not await it.plan(tmp_path / "plan", destroy=True)

    asyncio.run(all_of_it())
    assert any(line.startswith("terraform_data.node: Creation complete after") for line in lines)
    assert any(line.startswith("terraform_data.node: Destruction complete after") for line in lines)
    assert not any(line.startswith("{") for line in [*lines, *(tmp_path / "log").read_text().splitlines()])
