"""Guests that serve others, against real processes: what befalls them is never the result of a test."""

from __future__ import annotations

import asyncio
import platform
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from chunk_suite import ToySuite
from local_guest import LocalProvider

from kdevops.lab.servers import Server
from kdevops.results.events import RunEvent
from kdevops.results.model import Outcome, RunState, Status
from kdevops.results.store import PlannedRow, Store
from kdevops.run import servers
from kdevops.run.furnish import Furniture
from kdevops.run.job import Job
from kdevops.run.runner import Drained, drive
from kdevops.run.servers import Servers
from kdevops.run.work import queue_of

SERVER = "lab-nfsd"
PANIC = "[   12.345678] Kernel panic - not syncing: nfsd_fh_bad"


@dataclass
class Bench:
    path: Path
    store: Store
    provider: LocalProvider
    events: list[RunEvent] = field(default_factory=list)
    plays: list[str] = field(default_factory=list)
    run_id: int = 0
    broken: bool = False

    @property
    def serving(self) -> Path:
        return self.path / "serving"

    def server_dies(self, last_words: str = "") -> str:
        directory = self.provider.directory / SERVER
        return f"echo '{last_words}' >> {directory}/console.log; rm -f {directory}/up {self.serving}"

    def once(self, script: str) -> str:
        return f"test -e {self.path}/once && exit 0; touch {self.path}/once; {script}"

    async def play(self, server: Server) -> None:
        self.plays.append(server.name)
        if not self.broken:
            self.serving.touch()

    def run(self, scripts: dict[str, str], *, guests: int = 1, timeout: float = 30.0, keep: bool = False) -> Drained:
        suite = ToySuite(scripts, self.path / "leftovers", timeout)
        rows = [PlannedRow(test.id, timeout, 1.0) for test in suite.tests]
        names = [f"g{number}" for number in range(guests)]
        self.run_id = self.store.create_run("lab", rows, {})
        furniture = Furniture(platform.release())
        wanted = (Server("nfsd", SERVER, tuple(names)),)
        job = Job(
            run=self.run_id,
            directory=self.path / "run",
            provider=self.provider,
            store=self.store,
            queue=queue_of(rows, guests, chunk_suites={"toy"}),
            tests={test.id: test for test in suite.tests},
            guest_suites={},
            boot_suites={},
            chunk_suites={"toy": suite},
            emit=self.events.append,
            furniture=furniture,
            servers=Servers(wanted, self.provider, furniture, self.play, tell=self.events.append),
        )
        return asyncio.run(drive(job, names, keep=keep))

    def outcomes(self) -> dict[str, Outcome]:
        return {test.name: outcome for test, outcome in self.store.outcomes(self.run_id).items()}

    def statuses(self) -> dict[str, Status]:
        return {name: outcome.status for name, outcome in self.outcomes().items()}

    def troubles(self) -> list[str]:
        return [entry.text for entry in self.store.journal(self.run_id) if entry.kind == "infrastructure"]

    def boots(self, name: str) -> int:
        return [boot[0] for boot in self.provider.boots].count(name)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setitem(servers._SERVES, "nfsd", ("test", "-e", str(tmp_path / "serving")))
    return Bench(tmp_path, Store(tmp_path), LocalProvider(tmp_path / "guests"))


def test_the_server_serves_before_the_first_guest_boots_and_ends_with_the_run(bench: Bench) -> None:
    assert bench.run({"a": "true", "b": "exit 1"}).state is RunState.COMPLETE
    assert [boot[0] for boot in bench.provider.boots] == [SERVER, "g0"]
    assert bench.plays == [SERVER]
    assert not (bench.provider.directory / SERVER / "up").exists()


def test_a_server_that_is_to_be_kept_serves_the_next_run_as_it_is(bench: Bench) -> None:
    bench.run({"a": "true"}, keep=True)
    bench.run({"b": "true"})
    assert bench.plays == [SERVER]


def test_guests_share_a_server(bench: Bench) -> None:
    assert bench.run({f"t{number}": "sleep 0.01" for number in range(20)}, guests=3).state is RunState.COMPLETE
    assert bench.boots(SERVER) == 1


def test_the_test_in_flight_is_run_again_with_a_new_server(bench: Bench) -> None:
    dies = bench.once(f"{bench.server_dies(PANIC)}; sleep 60")
    assert bench.run({"a": "true", "b": dies, "c": "true"}).state is RunState.COMPLETE
    assert set(bench.statuses().values()) == {Status.PASS}
    assert bench.boots(SERVER) == bench.boots("g0") == 2
    (trouble,) = bench.troubles()
    assert "the server lab-nfsd died: " in trouble
    assert "nfsd_fh_bad" in trouble


def test_what_a_harness_tells_once_the_server_is_gone_is_no_result(bench: Bench) -> None:
    fails = bench.once(f"{bench.server_dies()}; exit 1")
    assert bench.run({"a": fails, "b": "true"}).state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS}


def test_a_test_that_lets_no_server_live_has_no_result(bench: Bench) -> None:
    drained = bench.run({"a": "true", "killer": f"{bench.server_dies()}; sleep 60", "z": "true"})
    assert drained.state is RunState.INCOMPLETE
    assert bench.statuses() == {"a": Status.PASS, "killer": Status.MISSING, "z": Status.PASS}
    assert "the server lab-nfsd died" in bench.outcomes()["killer"].reason
    assert len([trouble for trouble in bench.troubles() if "killer" in trouble]) == 3


def test_a_hang_under_a_server_that_serves_no_more_is_no_hang(bench: Bench) -> None:
    hangs = bench.once(f"rm {bench.serving}; sleep 60")
    assert bench.run({"a": hangs, "b": "true"}, timeout=1).state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS}
    assert "lab-nfsd serves no more" in bench.troubles()[0]


def test_a_hang_under_a_server_that_serves_is_one(bench: Bench) -> None:
    bench.run({"a": "sleep 60", "b": "true"}, timeout=1)
    assert bench.statuses() == {"a": Status.HANG, "b": Status.PASS}
    assert bench.boots(SERVER) == 1


def test_the_other_guests_lose_their_server_too(bench: Bench) -> None:
    dies = bench.once(f"{bench.server_dies()}; sleep 60")
    scripts = {"a": dies, **{f"t{number}": "sleep 0.2" for number in range(10)}}
    assert bench.run(scripts, guests=2).state is RunState.COMPLETE
    assert set(bench.statuses().values()) == {Status.PASS}
    assert bench.boots(SERVER) == 2
    assert bench.boots("g0") == bench.boots("g1") == 2


def test_a_server_that_never_serves_leaves_tests_missing(bench: Bench) -> None:
    bench.broken = True
    drained = bench.run({"a": "true"})
    assert drained.state is RunState.INCOMPLETE
    assert bench.statuses() == {"a": Status.MISSING}
    assert "does not serve" in drained.errors[0].message
    assert bench.boots("g0") == 0


def test_nobody_to_serve_costs_nothing() -> None:
    nobody = Servers()
    assert asyncio.run(nobody.up()) == 0
    assert nobody.lost(0) == asyncio.run(nobody.ill()) == ""
