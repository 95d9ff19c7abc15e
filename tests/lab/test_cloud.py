"""A cloud is a directory: its facts, what is wrong with them, and a new one that no line of Python knows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdevops.errors import UserError
from kdevops.lab.cloud import all_facts, read_facts
from kdevops.lab.clouds import FACTS, cloud_names
from kdevops.paths import data_dir
from tests.terraform.tool import MODULES

ROOT = Path(__file__).parents[2]
TOY: dict[str, Any] = {
    "title": "Toy Cloud",
    "docs": "docs/toy.md",
    "command": "toyctl",
    "install": "https://toy.example.org/install",
    "credentials": {
        "variables": ["TOY_TOKEN"],
        "files": [{"path": ".toy/token", "variable": "TOY_FILE"}],
        "missing": "toy-none",
    },
    "reserved": {"anywhere": ["forbidden"]},
    "absent": ["toy: nothing of that name"],
    "running": ["humming"],
    "sizes": [
        {"attribute": "instance_type"},
        {"attribute": "size", "unit": "GiB"},
        {"attribute": "bulk", "unit": "Toys"},
    ],
    "errors": [
        {
            "name": "toy-none",
            "match": "TOY-401 token (?P<token>\\w+)",
            "kind": "user",
            "message": "there is no token {token} for Toy Cloud",
            "hint": "toyctl login",
            "seen": "toyctl 1.0",
        }
    ],
}


def written(path: Path, facts: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(facts, sort_keys=False))
    return path


def test_every_cloud_has_facts() -> None:
    assert set(all_facts()) == set(cloud_names()) == {path.parent.name for path in MODULES.glob(f"*/{FACTS}")}
    assert len(cloud_names()) > 4


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"comand": "x"}, "comand: no such field; did you mean command?"),
        ({"command": None}, "command: "),
        ({"install": "ftp://x"}, "install: text 'ftp://x' is not valid: the address that tells how to install"),
        (
            {"credentials": {"variables": [], "missing": "toy-none"}},
            "credentials.variables: a list of 1 or more entries",
        ),
        (
            {"credentials": {"variables": ["A B"], "missing": "toy-none"}},
            "credentials.variables.0: text 'A B' is not valid",
        ),
        (
            {"credentials": {"variables": ["A"], "missing": "x"}},
            "credentials.missing names x, and errors has no such row",
        ),
        (
            {"credentials": {"variables": ["A"], "missing": "toy-none", "files": [{"path": "/etc/x"}]}},
            "credentials.files.0.path: a path below the home directory is needed",
        ),
        ({"sizes": []}, "sizes: a list of 1 or more entries"),
        ({"sizes": [{"attribute": "a.b.c"}]}, "sizes.0.attribute: text 'a.b.c' is not valid"),
        ({"absent": ["("]}, "absent: '(' is not a regular expression"),
        ({"errors": [*TOY["errors"], *TOY["errors"]]}, "errors has two rows toy-none"),
        ({"errors": [{**TOY["errors"][0], "hint": "{nobody}"}]}, "hint names {nobody}, and match has no such group"),
        ({"errors": [{**TOY["errors"][0], "kind": "users"}]}, "did you mean user?"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_field(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    facts = {key: value for key, value in {**TOY, **change}.items() if value is not None}
    path = written(tmp_path / FACTS, facts)
    with pytest.raises(UserError) as error:
        read_facts(path)
    assert error.value.message.startswith(f"{path}:")
    assert told in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("text", ["", "- a", "a: [", "a: !!python/object:x y", "title: 3\n"])
def test_what_are_no_facts_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / FACTS
    path.write_text(text)
    with pytest.raises(UserError, match=FACTS):
        read_facts(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_facts(tmp_path / "none.yaml")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one more cloud: the package as it is, and a directory that nobody spoke of before."""
    shutil.copytree(data_dir("terraform"), tmp_path / "terraform", symlinks=True)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copytree(ROOT / "tests/terraform", tmp_path / "tests/terraform")
    for name in ("kdevops", "pyproject.toml", "labs"):
        (tmp_path / name).symlink_to(ROOT / name)
    toy = tmp_path / "terraform/toy"
    shutil.copytree(tmp_path / "terraform/aws", toy, symlinks=True, ignore=shutil.ignore_patterns("tests"))
    (toy / "main.tf").write_text((toy / "main.tf").read_text().replace('"aws", "ec2"', '"toyctl", "ec2"'))
    written(toy / FACTS, TOY)
    (tmp_path / "docs/toy.md").write_text("# Guests in Toy Cloud\n\nInstall `toyctl`.\n")
    (tmp_path / "lab.yaml").write_text("name: x\nprovider: {type: terraform, cloud: toy}\nsuites: {kunit: {}}\n")
    return tmp_path


def run(checkout: Path, *words: str, codes: tuple[int, ...] = (0,)) -> str:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(checkout), "PYTHONPATH": str(checkout), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in codes, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_new_cloud_is_valid_in_a_lab_file(checkout: Path) -> None:
    assert "1 guest in toy" in run(checkout, "-m", "kdevops", "lab", "validate", "lab.yaml")
    assert '"toy"' in run(checkout, "-m", "kdevops", "lab", "schema")
    (checkout / "lab.yaml").write_text("name: x\nprovider: {type: terraform, cloud: toi}\n")
    assert "did you mean toy?" in run(checkout, "-m", "kdevops", "lab", "validate", "lab.yaml", codes=(2,))


def test_the_doctor_looks_at_a_new_cloud(checkout: Path) -> None:
    assert "openstack|toy]" in run(checkout, "-m", "kdevops", "doctor", "--help")
    code = """
import asyncio, dataclasses, json
from kdevops.doctor.terraform import check_terraform
print(json.dumps([dataclasses.asdict(check) for check in asyncio.run(check_terraform("toy"))]))
"""
    checks = {check["name"]: check for check in json.loads(run(checkout, "-c", code))}
    assert checks["toyctl"]["mend"] == "install it, see https://toy.example.org/install"
    assert checks["credentials of toy"]["mend"] == "toyctl login"
    assert "TOY_TOKEN" in checks["credentials of toy"]["detail"]


def test_a_change_of_size_in_a_new_cloud_is_asked_about(checkout: Path) -> None:
    code = """
from kdevops.providers.terraform.plan import summarise
change = {"actions": ["update"], "before": {"bulk": 1}, "after": {"bulk": 2}}
found = summarise({"resource_changes": [{"mode": "managed", "type": "toy_box", "index": "x-1", "change": change}]}, ["x-1"])
print(found.asks, found.lines)
"""
    assert run(checkout, "-c", code) == "True ('resize     1 toy_box (2 Toys): x-1',)\n"


def test_errors_names_and_answers_of_a_new_cloud_are_understood(checkout: Path) -> None:
    code = """
from kdevops.providers.address import is_absent, is_running
from kdevops.providers.terraform.errors import translate
from kdevops.providers.terraform.render import check_name
from kdevops.lab.terraform import Terraform
error = translate("Error: TOY-401 token abc is bad", command="terraform apply")
print(type(error).__name__, error.message, error.hint, sep="|")
print(is_absent("toy: nothing of that name"), is_running("Humming"))
try: check_name("forbidden-lab", Terraform(type="terraform", cloud="toy"))
except Exception as refused: print(refused)
"""
    assert run(checkout, "-c", code).splitlines() == [
        "UserError|terraform apply failed: TOY-401 token abc is bad|there is no token abc for Toy Cloud; toyctl login",
        "True True",
        "toy reserves forbidden and refuses what is called forbidden-lab",
    ]


def test_the_contract_test_finds_a_new_cloud(checkout: Path) -> None:
    told = run(
        checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/terraform/test_contract.py", "-k", "toy"
    )
    assert " passed" in told
    (checkout / "terraform/toy/outputs.tf").unlink()
    assert " failed" in run(
        checkout,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/terraform/test_contract.py",
        "-k",
        "toy",
        codes=(1,),
    )
