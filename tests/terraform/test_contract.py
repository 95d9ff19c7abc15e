"""What the modules of all clouds have in common, and what README.md says of it."""

from __future__ import annotations

import re
import subprocess

import pytest

from kdevops.lab.cloud import facts_of
from tests.terraform.tool import MODULES, clouds, tool

FILES = {"versions.tf", "variables.tf", "cloud.tf", "main.tf", "network.tf", "outputs.tf"}
REFERENCE = "aws"
OUTPUT = re.compile(r'^output "(\w+)" \{\n  description = "(.*)"\n', re.MULTILINE)
VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}\n', re.MULTILINE | re.DOTALL)
README = (MODULES / "README.md").read_text()


def variables(cloud: str, file: str = "variables.tf") -> dict[str, str]:
    """A module's variables: name → what stands between its braces."""
    path = MODULES / cloud / file
    return dict(VARIABLE.findall(path.read_text())) if path.exists() else {}


def outputs(cloud: str) -> dict[str, str]:
    """A module's outputs: name → description."""
    return dict(OUTPUT.findall((MODULES / cloud / "outputs.tf").read_text()))


def table(heading: str) -> dict[str, str]:
    """The table below a heading of README.md: name → type."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \| ([^|]*) \|", section, re.MULTILINE)
    return {name: kind for names, kind in rows for name in re.findall(r"`(\w+)`", names)}


def test_every_module_is_a_cloud_of_a_lab_file() -> None:
    assert {path.parent.name for path in MODULES.glob("*/versions.tf")} == set(clouds())


@pytest.mark.parametrize("cloud", clouds())
def test_the_facts_of_a_cloud_fit_its_module(cloud: str) -> None:
    facts = facts_of(cloud)
    main = (MODULES / cloud / "main.tf").read_text()
    assert re.search(rf'\[\s*"{re.escape(facts.command)}"', main), "commands of a machine are those of the cloud's tool"
    assert all(row.name.startswith(f"{cloud}-") for row in facts.errors)
    page, _, heading = facts.docs.partition("#")
    text = (MODULES.parent / page).read_text()
    headings = {
        re.sub(r"[^\w -]", "", found).lower().replace(" ", "-")
        for found in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert not heading or heading in headings
    assert f"`{facts.command}`" in text


@pytest.mark.parametrize("cloud", clouds())
def test_a_plan_shows_the_size_of_machines_and_disks(cloud: str) -> None:
    main = (MODULES / cloud / "main.tf").read_text()
    resources = "".join(re.findall(r'^resource "(?!terraform_data).*?^\}', main, re.MULTILINE | re.DOTALL))
    machine = re.findall(r"^  (\w+) += (?:local|var)\.instance_type$", resources, re.MULTILINE)
    disk = re.findall(r"^  (\w+) += var\.disks\[", resources, re.MULTILINE)
    assert machine
    assert disk
    sizes = {(size.attribute, bool(size.unit)) for size in facts_of(cloud).sizes}
    assert {*((name, False) for name in machine), *((name, True) for name in disk)} <= sizes


@pytest.mark.parametrize("cloud", clouds())
def test_module_has_the_usual_files(cloud: str) -> None:
    files = {path.name for path in (MODULES / cloud).glob("*.tf")}
    assert FILES - {"cloud.tf"} <= files <= FILES


@pytest.mark.parametrize("cloud", clouds())
def test_variables_are_the_same_text(cloud: str) -> None:
    assert (MODULES / cloud / "variables.tf").read_bytes() == (MODULES / REFERENCE / "variables.tf").read_bytes()


@pytest.mark.parametrize("cloud", clouds())
def test_outputs_are_the_same(cloud: str) -> None:
    assert outputs(cloud) == outputs(REFERENCE)
    assert len(outputs(cloud)) == (MODULES / cloud / "outputs.tf").read_text().count('output "')


@pytest.mark.parametrize("cloud", clouds())
@pytest.mark.parametrize("file", ["variables.tf", "cloud.tf"])
def test_variables_say_what_they_are(cloud: str, file: str) -> None:
    path = MODULES / cloud / file
    found = variables(cloud, file)
    assert len(found) == (path.read_text().count('variable "') if path.exists() else 0)
    for name, body in found.items():
        assert re.search(r'^  description = "\w.*\."$', body, re.MULTILINE), f"{name}: {body}"
        assert re.search(r"^  type +=", body, re.MULTILINE), name


def test_readme_names_the_variables() -> None:
    named = table("Input")
    assert named.keys() == variables(REFERENCE).keys()
    for name, body in variables(REFERENCE).items():
        assert f"type        = {named[name]}\n" in body, name


def test_readme_names_the_outputs() -> None:
    assert table("Output").keys() == outputs(REFERENCE).keys()


@pytest.mark.parametrize("cloud", clouds())
def test_module_is_formatted(cloud: str) -> None:
    done = subprocess.run(
        [tool(), "fmt", "-check", "-diff", "-recursive", str(MODULES / cloud)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("cloud", clouds())
def test_providers_are_pinned_by_a_range(cloud: str) -> None:
    text = (MODULES / cloud / "versions.tf").read_text()
    assert 'required_version = ">= 1.5"' in text
    sources, ranges = (
        re.findall(r"^ +source +=", text, re.MULTILINE),
        re.findall(r'^ +version += "(.*)"', text, re.MULTILINE),
    )
    assert len(sources) == len(ranges) > 0
    assert all("~>" in each or "<" in each for each in ranges), "a newer major version may change what a module means"
