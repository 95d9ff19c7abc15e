"""Machines by a real Terraform in a cloud that is nowhere: see toy/."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from kdevops.errors import InfrastructureError, UserError
from kdevops.lab.model import Lab
from kdevops.progress import Progress
from kdevops.providers.address import Address
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.providers.terraform import record as terraform_record
from kdevops.providers.terraform.machines import TerraformMachines
from kdevops.providers.terraform.plan import Summary
from kdevops.providers.terraform.work import destroy

TOY = Path(__file__).parent / "toy"
NAMES = ("x-1", "x-2")
T = TypeVar("T")

pytestmark = pytest.mark.skipif(
    not (shutil.which("terraform") or shutil.which("tofu")), reason="neither terraform nor tofu is here"
)


class Bench:
    """One lab, whose machines are values in a state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.directory = LabDirectory(path / "labs/x")
        self.states = path / "states"
        self.states.mkdir()
        self.asked: list[Sequence[str]] = []
        self.told: list[str] = []
        self.agrees = True
        self.address = "8.8.8.8/32"

    def machines(self, count: int = 2, module: Path = TOY, disks: int = 1, **provider: Any) -> TerraformMachines:
        variables = {"states": str(self.states), **provider.pop("variables", {})}
        said = {"type": "terraform", "module": module, "region": "r1", "variables": variables, **provider}
        lab = Lab.model_validate(
            {"name": "x", "guests": {"count": count, "disks": [{"size": "2GiB", "count": disks}]}, "provider": said}
        )
        return TerraformMachines(
            lab, self.directory, self._tell, confirm=self._confirm, address=self._address, cache=self.path / "cache"
        )

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.directory.path / "terraform/terraform.tfstate").read_text())
        return found

    def instances(self) -> list[str]:
        return sorted(
            instance["index_key"]
            for resource in self.state()["resources"]
            for instance in resource["instances"]
            if "index_key" in instance
        )

    def _tell(self, news: Progress) -> None:
        self.told.append(news.detail)

    def _confirm(self, lines: Sequence[str]) -> bool:
        self.asked.append(lines)
        return self.agrees

    async def _address(self) -> str:
        if not self.address:
            raise UserError("nobody tells", hint="provider.allow")
        return self.address


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def do(work: Awaitable[T]) -> T:
    async def main() -> T:
        return await work

    return asyncio.run(main())


def test_machines_come_stay_and_go(bench: Bench) -> None:
    machines = bench.machines()
    places = do(machines.start(NAMES))
    assert set(places) == set(NAMES)
    assert places["x-1"] == Address(
        host="127.0.0.1", port=2200, key=bench.directory.key, identity=places["x-1"].identity,
        disks=("/dev/disk/by-id/d0",), reset=("true",), state=places["x-1"].state, console=("echo", "console of x-1"),
    )  # fmt: skip
    assert places["x-1"].identity != places["x-2"].identity
    (question,) = bench.asked
    assert question[0] == "lab x, toy r1:"
    assert "  make       3 terraform_data: x-1, x-2" in question
    assert any("UTC (provider.lifetime)" in line for line in question)
    assert machines.why == "toy r1"
    assert do(machines.states()) == dict.fromkeys(NAMES, "running")
    assert machines.command_lines()["x-1"][-1] == "apply"

    began = time.monotonic()
    again = bench.machines()
    assert do(again.start(NAMES)) == places == again.known()
    assert time.monotonic() - began < 2, "nothing changed, so that Terraform has nothing to do"
    assert len(bench.asked) == 1, "and nobody is asked"

    do(again.stop())
    assert bench.state()["resources"] == []
    assert (again.known(), do(again.states())) == ({}, {})
    assert not (bench.directory.path / "terraform.json").exists()
    do(again.stop())


def test_what_would_be_made_is_asked_about_before_anything_is_made(bench: Bench) -> None:
    machines = bench.machines()
    do(machines.preflight(NAMES))
    assert "  make       3 terraform_data: x-1, x-2" in bench.asked[0]
    assert not (bench.directory.path / "terraform/terraform.tfstate").exists()
    assert do(machines.states()) == {}
    do(machines.start(NAMES))
    do(bench.machines().preflight(NAMES))
    assert len(bench.asked) == 2, "what there is is no question"


def test_another_size_is_asked_about_though_the_machines_were_agreed_to(bench: Bench) -> None:
    machines = bench.machines()
    do(machines.start(NAMES))
    record = terraform_record.load(bench.directory.path)
    assert record
    for resizes in (False, True):
        found = Summary(("what becomes of it",), frozenset(), frozenset(), asks=True, resizes=resizes)
        machines._ask(found, record, record)
        assert len(bench.asked) == 1 + resizes


def test_nothing_is_made_when_nobody_agrees(bench: Bench) -> None:
    bench.agrees = False
    with pytest.raises(UserError, match="you did not agree"):
        do(bench.machines().start(NAMES))
    assert not (bench.directory.path / "terraform/terraform.tfstate").exists()
    assert not (bench.directory.path / "terraform.json").exists()
    assert not list((bench.directory.path / "terraform").glob("*.tfplan"))


def test_more_and_fewer_machines_are_asked_about(bench: Bench) -> None:
    first = do(bench.machines().start(NAMES[:1]))
    both = do(bench.machines().start(NAMES[1:]))
    assert list(both) == ["x-2"]
    assert bench.machines().known()["x-1"] == first["x-1"], "the first one stays as it is"
    assert bench.instances() == ["x-1", "x-2"]
    do(bench.machines(1).start(NAMES[:1]))
    assert bench.instances() == ["x-1"]
    assert any("x-2 run now, and all that is on them will be lost" in line for line in bench.asked[-1])
    assert len(bench.asked) == 3


def test_one_machine_is_given_back_without_a_question(bench: Bench) -> None:
    machines = bench.machines()
    do(machines.start(NAMES))
    do(machines.stop(("x-1",)))
    assert bench.instances() == ["x-2"]
    assert list(machines.known()) == ["x-2"]
    do(machines.stop(("x-2",)))
    assert bench.state()["resources"] == []
    assert len(bench.asked) == 1


def test_a_machine_that_would_be_replaced_is_named(bench: Bench) -> None:
    do(bench.machines().start(NAMES))
    before = bench.machines().known()
    (bench.states / "x-2").write_text("stopped\n")
    after = do(bench.machines(image="another").start(NAMES))
    assert "  replace    2 terraform_data: x-1, x-2" in bench.asked[-1]
    assert "  x-1 run now, and all that is on them will be lost" in bench.asked[-1]
    assert after["x-1"].identity != before["x-1"].identity


def test_a_new_address_lets_us_in_and_the_old_one_no_more(bench: Bench) -> None:
    do(bench.machines().start(NAMES))
    bench.address = "9.9.9.9/32"
    do(bench.machines().start(NAMES))
    outputs = bench.state()["outputs"]
    assert outputs
    assert terraform_record.load(bench.directory.path).allowed == ("9.9.9.9/32",)  # type: ignore[union-attr]
    assert len(bench.asked) == 1, "nothing is made by that"
    bench.address = ""
    do(bench.machines().start(NAMES))
    assert any("ssh stays open to 9.9.9.9/32" in line for line in bench.told)
    assert "0.0.0.0" not in (bench.directory.path / "terraform/terraform.tfvars.json").read_text()


def test_without_an_address_nothing_is_made(bench: Bench) -> None:
    bench.address = ""
    with pytest.raises(UserError, match="nobody tells"):
        do(bench.machines().start(NAMES))
    assert not (bench.directory.path / "terraform").exists()
    assert do(bench.machines(allow=["192.0.2.0/24"]).start(NAMES))


def test_strings_of_the_lab_are_never_hcl(bench: Bench) -> None:
    strings = {"a": '${file("/etc/passwd")}', "b": "%{ if true }x%{ endif }", "c": "$${x}", "d": '"\n}\nresource "x" {'}
    do(bench.machines(variables={"anything": strings}).start(NAMES))
    assert bench.state()["outputs"]["anything"]["value"] == strings


def test_expiry_is_that_of_the_first_machine(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    do(bench.machines(lifetime=2).start(NAMES[:1]))
    first = terraform_record.load(bench.directory.path)
    assert first
    assert first.expires - first.created == timedelta(hours=2)
    monkeypatch.setattr(terraform_record, "now", lambda: first.created + timedelta(hours=3))
    do(bench.machines(lifetime=2).start(NAMES))
    later = terraform_record.load(bench.directory.path)
    assert later
    assert (later.created, later.expires) == (first.created, first.expires)
    assert later.overdue
    assert any("OVERDUE" in line for line in bench.told)


def test_more_disks_for_machines_that_are_there_are_asked_about(bench: Bench) -> None:
    do(bench.machines().start(NAMES))
    bench.agrees = False
    with pytest.raises(UserError, match="you did not agree"):
        do(bench.machines(disks=2).start(NAMES))
    assert "  make       2 terraform_data" in bench.asked[-1]
    bench.agrees = True
    do(bench.machines(disks=2).start(NAMES))
    root = bench.directory.path / "terraform"
    tool = shutil.which("terraform") or "tofu"
    subprocess.run([tool, "state", "rm", 'terraform_data.disk["x-1-disk-1"]'], cwd=root, check=True)
    record = terraform_record.load(bench.directory.path)
    assert record
    terraform_record.save(bench.directory.path, record.model_copy(update={"complete": False}))
    asked = len(bench.asked)
    do(bench.machines(disks=2).start(NAMES))
    assert len(bench.asked) == asked, "what somebody agreed to and was interrupted is gone on with"


def test_an_apply_that_dies_half_way_is_gone_on_with_or_destroyed(bench: Bench) -> None:
    broken = {"command": ["false"]}
    with pytest.raises(InfrastructureError) as error:
        do(bench.machines(variables=broken).start(NAMES))
    assert "kdevops up continues with it, kdevops down destroys it" in (error.value.hint or "")
    assert error.value.log
    assert do(bench.machines().states()) == dict.fromkeys(NAMES, "begun")
    assert bench.machines().known() == {}
    do(bench.machines().start(NAMES))
    assert bench.instances() == ["x-1", "x-2"]
    do(bench.machines().stop())
    with pytest.raises(InfrastructureError):
        do(bench.machines(variables=broken).start(NAMES))
    do(bench.machines().stop())
    assert bench.state()["resources"] == []


KILLED = """
import asyncio, sys
from pathlib import Path
from tests.providers.terraform.test_machines import NAMES, Bench
bench = Bench(Path(sys.argv[1]))
asyncio.run(bench.machines(variables={{"command": ["sh", "-c", "echo >{mark}; sleep 60"]}}).start(NAMES))
"""


def test_a_command_that_was_killed_leaves_what_down_destroys(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = KILLED.format(mark=mark)
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=Path(__file__).parents[3]) as process:
        end = time.monotonic() + 60
        while not mark.exists() and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    shutil.rmtree(tmp_path / "states")
    bench = Bench(tmp_path)
    assert do(bench.machines().states()) == dict.fromkeys(NAMES, "begun")
    do(bench.machines().stop())
    assert bench.state()["resources"] == []
    assert not (tmp_path / "labs/x/terraform.json").exists()


def test_down_works_by_what_was_made_and_not_by_what_the_lab_says_now(bench: Bench, tmp_path: Path) -> None:
    do(bench.machines().start(NAMES))
    moved = tmp_path / "moved"
    shutil.copytree(TOY, moved)
    with pytest.raises(UserError, match="the lab file now says"):
        do(bench.machines(module=moved).start(NAMES))
    do(bench.machines(module=tmp_path / "gone").stop())
    assert bench.state()["resources"] == []


def test_a_machine_that_was_taken_away_is_not_given(bench: Bench) -> None:
    do(bench.machines().start(NAMES))
    (bench.states / "x-2").write_text("\x1b[31mTERMINATED\n")
    states = do(bench.machines().states())
    assert states == {"x-1": "running", "x-2": "terminated"}
    assert list(do(bench.machines().start(NAMES))) == ["x-1"]
    with pytest.raises(InfrastructureError, match="x-2 was taken away: its cloud says terminated"):
        do(bench.machines().start(NAMES[1:]))
    (bench.states / "x-2").write_text("stopped\n")
    assert set(do(bench.machines().start(NAMES))) == set(NAMES), "a reset may help"
    assert len(bench.asked) == 1, "Terraform finds nothing to do"


def test_what_is_left_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from kdevops.providers.terraform.tool import TerraformTool

    do(bench.machines().start(NAMES))

    async def nothing(_: TerraformTool) -> None:
        pass

    monkeypatch.setattr(TerraformTool, "destroy", nothing)
    with pytest.raises(InfrastructureError, match=r'not everything was destroyed: .*terraform_data.node\["x-1"\]'):
        do(bench.machines().stop())
    assert bench.machines().known(), "so that it is not forgotten"


def test_machines_that_terraform_lost_sight_of_are_not_forgotten(bench: Bench) -> None:
    places = do(bench.machines().start(NAMES))
    root = bench.directory.path / "terraform"
    (root / "terraform.tfstate").unlink()
    with pytest.raises(InfrastructureError) as caught:
        do(bench.machines().stop())
    assert f"x-1 ({places['x-1'].identity})" in str(caught.value)
    assert str(bench.directory.path / "terraform.json") in (caught.value.hint or "")
    assert bench.machines().known()
    shutil.rmtree(root)
    with pytest.raises(
        InfrastructureError, match=r"Terraform knows nothing any more of machines of lab x in toy r1: x-1 \("
    ):
        do(destroy(bench.directory, lambda _: None, cache=bench.path / "cache"))
    assert bench.machines().known()


def test_without_a_state_machines_that_are_gone_are_forgotten(bench: Bench) -> None:
    do(bench.machines().start(NAMES))
    (bench.directory.path / "terraform/terraform.tfstate").unlink()
    for name in NAMES:
        (bench.states / name).write_text("terminated")
    do(bench.machines().stop())
    assert not bench.machines().known()


def test_a_state_that_could_not_be_saved_is_brought_in_first(bench: Bench) -> None:
    do(bench.machines().start(NAMES))
    root = bench.directory.path / "terraform"
    state = bench.state()
    state["serial"] += 5
    (root / "errored.tfstate").write_text(json.dumps(state))
    do(bench.machines(image="y").start(NAMES))
    assert not (root / "errored.tfstate").exists()
    assert bench.state()["serial"] > state["serial"]


def test_a_state_elsewhere_is_found_from_another_machine(bench: Bench, tmp_path: Path) -> None:
    backend = {"local": {"path": str(tmp_path / "shared.tfstate")}}
    do(bench.machines(backend=backend).start(NAMES))
    shutil.rmtree(bench.directory.path)
    do(bench.machines(backend=backend).stop())
    assert json.loads((tmp_path / "shared.tfstate").read_text())["resources"] == []


def test_init_is_done_once_for_one_configuration(bench: Bench) -> None:
    for image in ("a", "b"):
        do(bench.machines(image=image).start(NAMES))
    log = (bench.directory.path / "terraform.log").read_text()
    assert log.count(" init -no-color") == 1
    do(bench.machines(backend={"local": {"path": "x.tfstate"}}).stop())


def test_a_record_that_cannot_be_read_is_an_error(bench: Bench) -> None:
    do(bench.machines().start(NAMES))
    (bench.directory.path / "terraform.json").write_text("{")
    for work in (bench.machines().start(NAMES), bench.machines().stop(), bench.machines().states()):
        with pytest.raises(InfrastructureError, match="cannot be read"):
            do(work)


def test_destroy_needs_no_lab_file(bench: Bench) -> None:
    do(bench.machines().start(NAMES))
    do(destroy(bench.directory, lambda _: None, cache=bench.path / "cache"))
    assert bench.state()["resources"] == []
