"""What Terraform and the clouds say when they fail: the messages of messages.yaml, any other, and any text at all."""

from __future__ import annotations

import json
import time
import unicodedata
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import InfrastructureError, UserError
from kdevops.providers.terraform.diagnostics import diagnostics_in
from kdevops.providers.terraform.errors import complaints, translate

MESSAGES = [
    (message["row"], message["output"], message["says"])
    for message in yaml.safe_load((Path(__file__).parent / "messages.yaml").read_text())
]
BOX = "╷\n{}╵\n"


def as_json(output: str) -> str:
    """What `plan -json` prints where `plan` prints this."""
    lines = [{"@level": "info", "@message": "Terraform 1.11.4", "type": "version"}]
    for each in diagnostics_in(output):
        told = {"severity": "error", "summary": each.summary, "detail": each.detail, "snippet": {"code": "secret = 1"}}
        lines.append(
            {"@level": "error", "@message": f"Error: {each.summary}", "diagnostic": told, "type": "diagnostic"}
        )
    return "".join(f"{json.dumps(line)}\n" for line in lines)


@pytest.mark.parametrize(("name", "output", "part"), MESSAGES)
def test_real_messages_are_understood(name: str, output: str, part: str) -> None:
    boxed = BOX.format("".join(line if line.startswith("│") else f"│ {line}" for line in output.splitlines(True)))
    plain = "\n".join(line.removeprefix("│").removeprefix(" ") for line in output.splitlines())
    for said in (f"\n{plain}\n", boxed, as_json(boxed)):
        error = translate(f"aws_vpc.lab: Creating...\n{said}", command="terraform apply", log=Path("/l/terraform.log"))
        expected = next(complaint for complaint in complaints() if complaint.name == name)
        words = [each.words for each in diagnostics_in(boxed)]
        assert error.message == f"terraform apply failed: {'; '.join(words)}"
        assert error.hint
        assert part in error.hint
        assert error.hint.startswith(expected.message.partition("{")[0].rstrip(" :"))
        assert isinstance(error, UserError if expected.kind == "user" else InfrastructureError)
        assert error.log == Path("/l/terraform.log")


def test_every_row_has_a_message_of_its_own() -> None:
    assert {name for name, _, _ in MESSAGES} == {complaint.name for complaint in complaints()}
    assert len({complaint.name for complaint in complaints()}) == len(complaints())


def test_what_went_well_is_no_error() -> None:
    said = """\
Initializing the backend...
Initializing provider plugins...
- Finding hashicorp/aws versions matching "~> 5.0"...
- Using previously-installed hashicorp/aws v5.100.0
aws_instance.node["lab-1"]: Creating...
aws_instance.node["lab-1"]: Still creating... [10s elapsed]
aws_instance.node["lab-1"]: Creation complete after 13s [id=i-0]
Apply complete! Resources: 12 added, 0 changed, 0 destroyed.
"""
    plain = " ".join(said.split())
    assert [complaint.name for complaint in complaints() if complaint.match.search(plain)] == []


UNKNOWN = """
Error: Reference to undeclared resource

  on main.tf line 12, in output "x":
  12:   value = aws_instance.nobody.id

A managed resource "aws_instance" "nobody" has not been declared
in the root module.

More of it.

Error: Another one

Its detail.
"""
GIST = 'A managed resource "aws_instance" "nobody" has not been declared in the root module. More of it.'


@pytest.mark.parametrize(
    ("said", "gist"),
    [
        (
            UNKNOWN,
            f"terraform plan failed: Reference to undeclared resource: {GIST}; Another one: Its detail.",
        ),
        ("Error: Short\n", "terraform plan failed: Short"),
        ("no form at all\n\n", "terraform plan failed: no form at all"),
        ("", "terraform plan failed and said nothing"),
        ("\x1b[31mError: red\x1b[0m\x07\n", "terraform plan failed: red"),
    ],
)
def test_what_is_not_known_is_told_in_its_own_words(said: str, gist: str) -> None:
    error = translate(said, command="terraform plan", log=Path("/l/terraform.log"))
    assert isinstance(error, InfrastructureError)
    assert error.message == gist


@given(
    st.lists(
        st.text(max_size=300) | st.sampled_from([output for _, output, _ in MESSAGES]) | st.just(UNKNOWN), max_size=6
    ).map("\n".join),
    st.text(max_size=300),
)
def test_any_output_makes_one_clean_line(output: str, command: str) -> None:
    error = translate(output, command=command, log=Path("/l"))
    assert error.hint
    assert len(error.message) <= 4000
    for text in (error.message, error.hint):
        assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs"} for character in text)


def test_values_in_a_command_are_quoted() -> None:
    error = translate("failed to get shared config profile, x", command="c")
    assert "no profile x" in (error.hint or "")
    evil = "Required 'compute.x' permission for 'y'. Compute Engine API has not been used in project a before or it is disabled"
    assert "--project a" in (translate(evil, command="c").hint or "")


@pytest.mark.parametrize(
    "text", ["a", "'", "Error: ", "Quota exceeded for ", "dial tcp ", "Error acquiring the state lock "]
)
def test_a_long_line_takes_no_time(text: str) -> None:
    started = time.process_time()
    translate(text * (400_000 // len(text)), command="terraform apply")
    translate("".join(f"{text}{number}\n" for number in range(20_000)), command="terraform apply")
    assert time.process_time() - started < 4
