"""What Terraform is given: the module as it is, and the lab's values as JSON and nothing else."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.lab.clouds import cloud_names
from kdevops.lab.model import Lab
from kdevops.lab.terraform import Terraform
from kdevops.providers.terraform import render as terraform_file
from kdevops.providers.terraform.render import OUTPUTS, VALUES, VARIABLES, render, values_of

TOY = Path(__file__).parent / "toy"
WHEN = datetime(2030, 1, 31, 12, 0, 1, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def lab(name: str = "x", guests: dict[str, Any] | None = None, **provider: Any) -> Lab:
    provider.setdefault("module", TOY)
    return Lab.model_validate(
        {"name": name, "guests": guests or {"count": 2}, "provider": {"type": "terraform", **provider}}
    )


def values(of: Lab, nodes: tuple[str, ...] = ("x-2", "x-1")) -> dict[str, Any]:
    return values_of(of, nodes, expires=WHEN, public_key="ssh-ed25519 AAAA", allowed=["192.0.2.7/32"])


def rendered(root: Path, of: Lab, **changes: Any) -> dict[str, Any]:
    assert isinstance(of.provider, Terraform)
    render(root, of.provider, {**values(of), **changes})
    found: dict[str, Any] = json.loads((root / VALUES).read_text())
    return found


def test_the_lab_is_said_in_the_variables_of_the_contract() -> None:
    found = values(
        lab(guests={"disks": [{"size": "20GiB", "count": 2}, {"size": "1536MiB"}]}, region="r", owner="me@x")
    )
    assert found.keys() == VARIABLES
    assert found["kdevops_nodes"] == ["x-1", "x-2"]
    assert found["disks"] == [20, 20, 2]
    assert found["expires"] == "2030-01-31T12:00:01Z"
    assert (found["owner"], found["region"], found["zone"], found["spot"]) == ("me@x", "r", "", False)


def test_without_an_owner_it_is_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "DOMAIN\\Jürgen ${x}")
    assert values(lab())["owner"] == "DOMAIN-J-rgen---x-"


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), JSON, max_size=4), st.text(max_size=50))
def test_any_text_is_a_value_and_nothing_else_is_written(variables: dict[str, Any], text: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root, module = Path(directory) / "root", Path(directory) / "module"
        names = VARIABLES | variables.keys()
        module.mkdir()
        declared = "\n".join(f'variable "{name}" {{}}' for name in names)
        (module / "main.tf").write_text(declared + "".join(f'\noutput "{name}" {{}}' for name in OUTPUTS))
        of = lab(module=module, variables={name: each for name, each in variables.items() if name not in VARIABLES})
        found = rendered(root, of, anything=text)
        assert found == json.loads(json.dumps({**values(of), "anything": text}))
        assert {path.name for path in root.iterdir()} == {"main.tf", VALUES, ".kdevops-files.json"}
        assert (root / "main.tf").read_bytes() == (module / "main.tf").read_bytes()


def test_the_values_are_for_nobody_else(tmp_path: Path) -> None:
    rendered(tmp_path / "root", lab(backend={"local": {"path": "/x/y.tfstate"}}))
    for name in (VALUES, "backend.tf.json"):
        assert stat.S_IMODE((tmp_path / "root" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "root").stat().st_mode) == 0o700
    backend = json.loads((tmp_path / "root/backend.tf.json").read_text())
    assert backend == {"terraform": {"backend": {"local": {"path": "/x/y.tfstate"}}}}


@pytest.mark.parametrize("backend", [{"s3": {"key": "${file(1)}"}}, {"s3": {"a": [{"%{if}": 1}]}}, {"${x}": {}}])
def test_a_backend_that_tries_to_be_hcl_is_refused(tmp_path: Path, backend: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="would be evaluated"):
        rendered(tmp_path, lab(backend=backend))


def test_what_the_module_no_longer_has_goes_and_what_is_terraforms_stays(tmp_path: Path) -> None:
    root, module = tmp_path / "root", tmp_path / "module"
    (module / "part").mkdir(parents=True)
    (module / "main.tf").write_text((TOY / "main.tf").read_text())
    (module / "part/x.tpl").write_text("x")
    (module / "run.sh").write_text("#!/bin/sh\n")
    (module / "run.sh").chmod(0o755)
    for name in ("terraform.tfstate", "mine.auto.tfvars", "terraform.tfvars", "README.md"):
        (module / name).write_text("not copied")
    rendered(root, lab(module=module))
    assert os.access(root / "run.sh", os.X_OK)
    assert (root / "part/x.tpl").exists()
    for name in ("terraform.tfstate", "errored.tfstate", ".terraform.lock.hcl"):
        assert not (root / name).exists()
        (root / name).write_text("terraform's own")
    (module / "part/x.tpl").unlink()
    rendered(root, lab(module=module, backend={"local": {}}))
    assert not (root / "part/x.tpl").exists()
    assert (root / "backend.tf.json").exists()
    rendered(root, lab(module=module))
    assert not (root / "backend.tf.json").exists()
    assert (root / "terraform.tfstate").read_text() == "terraform's own"


def test_a_module_that_lacks_something_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text((TOY / "main.tf").read_text().replace('variable "spot"', 'variable "spott"'))
    with pytest.raises(UserError, match="has no variable spot"):
        rendered(tmp_path / "root", lab(module=tmp_path))
    (tmp_path / "main.tf").write_text((TOY / "main.tf").read_text().replace('output "summary"', 'output "summery"'))
    with pytest.raises(UserError, match="has no output summary"):
        rendered(tmp_path / "root", lab(module=tmp_path))
    assert not (tmp_path / "root").exists()


def test_variables_may_be_declared_in_json(tmp_path: Path) -> None:
    declared = {"variable": {name: {} for name in VARIABLES}, "output": {name: {"value": 1} for name in OUTPUTS}}
    (tmp_path / "main.tf.json").write_text(json.dumps(declared))
    rendered(tmp_path / "root", lab(module=tmp_path))
    (tmp_path / "main.tf.json").write_text("{")
    with pytest.raises(UserError, match="is not JSON"):
        rendered(tmp_path / "root", lab(module=tmp_path))


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"anythin": 1}, "no such variable; did you mean anything"),
        ({"allowed_cidrs": ["0.0.0.0/0"]}, "variable of every module"),
    ],
)
def test_variables_that_are_not_the_modules_are_refused(tmp_path: Path, variables: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        rendered(tmp_path, lab(variables=variables))


@pytest.mark.parametrize("what", ["missing", "empty", "file"])
def test_what_is_no_module_is_refused(tmp_path: Path, what: str) -> None:
    module = tmp_path / what
    if what == "empty":
        module.mkdir()
    if what == "file":
        module.write_text("")
    with pytest.raises(UserError, match=r"not a directory|no \.tf files"):
        rendered(tmp_path / "root", lab(module=module))


def test_a_home_directory_is_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform_file, "_MAX_FILES", 3)
    for number in range(5):
        (tmp_path / f"{number}.tf").write_text("")
    with pytest.raises(UserError, match="so it is not a module"):
        rendered(tmp_path / "root", lab(module=tmp_path))


@pytest.mark.parametrize(
    ("cloud", "name"), [("azure", "my-windows-lab"), ("azure", "login-1"), ("azure", "xboxes"), ("aws", "sg-test")]
)
def test_a_name_that_the_cloud_refuses_is_refused_in_words(cloud: str, name: str) -> None:
    with pytest.raises(UserError, match="reserves"):
        values(lab(name, module=None, cloud=cloud))
    values(lab(name, module=None, cloud="gce"))


@pytest.mark.parametrize("cloud", cloud_names())
def test_our_modules_keep_to_the_contract(tmp_path: Path, cloud: str) -> None:
    rendered(tmp_path / "root", lab(module=None, cloud=cloud))
    assert not list((tmp_path / "root").rglob("*.tftest.hcl"))
    assert not (tmp_path / "root" / "cloud.yaml").exists(), "facts are not a part of the module"
