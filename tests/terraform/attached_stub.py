"""The modules of clouds whose providers are not here, in the real Terraform over a stub, as fixtures of tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.terraform import stub
from tests.terraform.tool import LAB, MODULES, carried_out, tool

SCHEMAS = Path(__file__).parent / "schemas"
DISKS = [50, 64]
OWN: dict[str, dict[str, Any]] = {
    "azure": {},
    "gce": {},
    "oci": {"compartment_id": "ocid1.compartment.oc1..aaaa"},
    "openstack": {"instance_type": "m1.medium"},
}
"""Of each cloud: the variables that it cannot do without."""
MACHINES = {
    "azure": "azurerm_linux_virtual_machine",
    "gce": "google_compute_instance",
    "oci": "oci_core_instance",
    "openstack": "openstack_compute_instance_v2",
}


class Attached:
    """A module's copy that may be spoilt, with the stub in this process: an answer takes a fraction of a second."""

    def __init__(self, directory: Path, cloud: str, environment: dict[str, str]) -> None:
        self.cloud, self.tool, self.module = cloud, tool(), directory / "module"
        shutil.copytree(MODULES / cloud, self.module)
        self.environment = {
            "HOME": str(directory),
            "TF_CLI_CONFIG_FILE": "/dev/null",
            "CHECKPOINT_DISABLE": "1",
            **environment,
        }

    def run(self, *words: str) -> tuple[int, str]:
        """The exit code, and what was printed for programs."""
        done = carried_out([self.tool, *words], self.module, self.environment)
        return done.returncode, done.stdout

    def errors(self, file: str, old: str, new: str) -> list[dict[str, Any]]:
        """What `validate` says against the module with another text in one place."""
        text = (MODULES / self.cloud / file).read_text()
        assert text.count(old) == 1, old
        (self.module / file).write_text(text.replace(old, new))
        _, answer = self.run("validate", "-json")
        (self.module / file).write_text(text)
        return [each for each in json.loads(answer)["diagnostics"] if each["severity"] == "error"]

    def write(self, variables: dict[str, Any]) -> list[str]:
        """Set the variables, one in each line from the second on; gives their names."""
        named = {**LAB, **OWN[self.cloud], **variables}
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in named.items())
        (self.module / "terraform.tfvars.json").write_text(f"{{\n{lines}\n}}\n")
        return list(named)

    def refusals(self, **variables: Any) -> list[dict[str, Any]]:
        """What a plan with these variables is refused for."""
        self.write(variables)
        code, answer = self.run("plan", "-json")
        events = [json.loads(line) for line in answer.splitlines()]
        found = [event["diagnostic"] for event in events if event.get("@level") == "error"]
        assert bool(found) == (code != 0), answer
        return found

    def refused(self, **variables: Any) -> set[str]:
        """Of which variables the values are refused."""
        names = self.write(variables)
        ranges = [error["range"] for error in self.refusals(**variables)]
        return {names[each["start"]["line"] - 2] for each in ranges if each["filename"] == "terraform.tfvars.json"}

    def planned(self, **variables: Any) -> dict[str, dict[str, Any]]:
        """What would be made with these variables, by address."""
        return {address: change["after"] for address, change in self._changes(variables).items()}

    def actions(self, **variables: Any) -> dict[str, list[str]]:
        """What would be done with these variables to what there is, by address."""
        return {address: change["actions"] for address, change in self._changes(variables).items()}

    def shown(self, **variables: Any) -> dict[str, Any]:
        """A plan with these variables, as Terraform shows it to programs."""
        self.write(variables)
        code, answer = self.run("plan", "-out", "plan", "-no-color")
        assert code == 0, answer
        shown: dict[str, Any] = json.loads(self.run("show", "-json", "plan")[1])
        return shown

    def _changes(self, variables: dict[str, Any]) -> dict[str, dict[str, Any]]:
        changes = self.shown(**variables)["resource_changes"]
        return {change["address"]: change["change"] for change in changes if change["mode"] == "managed"}

    @contextmanager
    def applied(self, **variables: Any) -> Iterator[dict[str, Any]]:
        """The outputs, as long as what these variables ask for is there."""
        self.write(variables)
        code, answer = self.run("apply", "-auto-approve", "-no-color")
        assert code == 0, answer
        try:
            yield {name: each["value"] for name, each in json.loads(self.run("output", "-json")[1]).items()}
        finally:
            self.state.unlink()

    @property
    def state(self) -> Path:
        """Where Terraform keeps what there is; the stub keeps nothing."""
        return self.module / "terraform.tfstate"


@pytest.fixture(scope="module", params=OWN)
def cloud(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def attached(cloud: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attached]:
    tool()
    with stub.listening(SCHEMAS / f"{cloud}.json") as environment:
        yield Attached(tmp_path_factory.mktemp(cloud), cloud, environment)
