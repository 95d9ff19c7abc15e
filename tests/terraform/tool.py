"""Terraform as the tests run it: on a copy of a module, with a home of its own, and with providers of this machine alone."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kdevops.lab.clouds import cloud_names

MODULES = Path(__file__).parents[2] / "terraform"
SECONDS = 600
_PLACES = (
    *("~/.terraform.d/plugins", "~/.local/share/terraform/plugins", "/usr/local/share/terraform/plugins"),
    *("/usr/share/terraform/plugins", "/opt/*"),
)
LAB: Mapping[str, Any] = {
    "lab": "demo",
    "kdevops_nodes": ["demo-1", "demo-2"],
    "owner": "ada",
    "expires": "2030-01-31T23:59:59Z",
    "ssh_public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3y0Kqk3uYHj0c4x2xJwq2v5yWm2mX4d8o1Jc9f3l7R kdevops",
    "allowed_cidrs": ["192.0.2.7/32", "198.51.100.0/24"],
}
"""The variables that have no default, for a lab of two machines."""


def carried_out(argv: list[str], module: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A command of the tool in a module, whatever its exit code."""
    return subprocess.run(
        argv, check=False, cwd=module, env=environment, capture_output=True, text=True, timeout=SECONDS
    )


def clouds() -> list[str]:
    """The clouds of the front end."""
    return list(cloud_names())


def tool() -> str:
    """Terraform or OpenTofu, as the environment and PATH have it; skips without."""
    names = (os.environ.get("KDEVOPS_TERRAFORM", ""), "terraform", "tofu")
    found = next((path for path in map(shutil.which, filter(None, names)) if path), None)
    return found or pytest.skip("neither terraform nor tofu is here")


def mirror_of(source: str, versions: str = "*") -> Path:
    """A filesystem mirror that has a provider: $KDEVOPS_TERRAFORM_MIRROR, or one of the usual places; skips without."""
    named = os.environ.get("KDEVOPS_TERRAFORM_MIRROR")
    places = [named] if named else [*filter(None, [os.environ.get("TF_PLUGIN_CACHE_DIR")]), *_PLACES]
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    layout = f"registry.terraform.io/{source}/{versions}/{platform.system().lower()}_{machine}/terraform-provider-*"
    for place in map(Path, places):
        base = place.expanduser()
        for found in sorted(Path(base.anchor).glob(str(base.relative_to(base.anchor)))):
            if any(found.glob(layout)):
                return found
    return pytest.skip(
        f"the provider {source} is not here; KDEVOPS_TERRAFORM_MIRROR names a filesystem mirror that has it"
    )


def home(directory: Path, mirror: Path) -> dict[str, str]:
    """The environment of a Terraform that has a home of its own in `directory`, and the providers of `mirror` alone."""
    configuration = directory / "terraformrc"
    configuration.write_text(
        f"provider_installation {{\n  filesystem_mirror {{\n    path = {json.dumps(str(mirror))}\n  }}\n}}\n"
    )
    own = directory / "home"
    own.mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(own),
        "TF_CLI_CONFIG_FILE": str(configuration),
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }


@dataclass
class Root:
    """An initialised configuration in `module`; `values` are its variables unless others are given."""

    module: Path
    environment: dict[str, str]
    values: Mapping[str, Any] = field(default_factory=lambda: LAB)
    tool: str = field(default_factory=tool)

    def run(self, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        """What a command prints; fails the test for an exit code that is not among `codes`."""
        done = carried_out([self.tool, *words], self.module, self.environment)
        assert done.returncode in codes, (
            f"{words}: exit code {done.returncode}\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
        )
        return done.stdout

    def write(self, **variables: Any) -> None:
        """Set the variables, as kdevops does: in terraform.tfvars.json and nowhere else."""
        (self.module / "terraform.tfvars.json").write_text(json.dumps({**self.values, **variables}))

    def plan(self, **variables: Any) -> dict[str, str]:
        """What would be done with these variables: address → create, update, replace or delete."""
        self.write(**variables)
        events = [json.loads(line) for line in self.run("plan", "-json").splitlines()]
        changes = [event["change"] for event in events if event["type"] == "planned_change"]
        return {change["resource"]["addr"]: change["action"] for change in changes}

    def outputs(self) -> dict[str, Any]:
        """What the outputs are."""
        return {name: each["value"] for name, each in json.loads(self.run("output", "-json")).items()}

    def apply(self, **variables: Any) -> dict[str, Any]:
        """Apply, and give the outputs."""
        self.write(**variables)
        self.run("apply", "-no-color", "-auto-approve")
        return self.outputs()


class Workspace(Root):
    """A module's copy in `directory`, initialised with the providers of `mirror`."""

    def __init__(self, directory: Path, module: Path, mirror: Path) -> None:
        super().__init__(directory / "module", home(directory, mirror))
        shutil.copytree(module, self.module)
        self.run("init", "-no-color")
