"""Guests that serve others, against real processes: what befalls them is never the result of a test."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kdevops.errors import InfrastructureError
from kdevops.lab.servers import ROLES, Server
from kdevops.results.model import RunState, Status
from kdevops.run.drive.runner import Drained
from kdevops.run.guests import servers
from kdevops.run.guests.servers import Servers
from tests.support.chunk_suite import ToySuite
from tests.support.local_guest import LocalGuest
from tests.support.toy_run import ToyRun

SERVER = "lab-nfsd"
PANIC = "[   12.345678] Kernel panic - not syncing: nfsd_fh_bad"
KASAN = "[    3.000000] BUG: KASAN: use-after-free in nfs_foo+0x1/0x2"


class Bench(ToyRun):
    """Serving is a file, made by the play and kept however often the guest boots, as a distribution's own service is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.plays: list[str] = []
        self.broken = False

    def serving(self, name: str = SERVER) -> Path:
        return self.path / f"serving-{name}"

    def server_dies(self, last_words: str = "") -> str:
        return f"{self.dies(last_words, SERVER)}; rm {self.serving()}"

    async def play(self, server: Server) -> None:
        self.plays.append(server.name)
        if not self.broken:
            self.serving(server.name).touch()

    def servers(self, clients: Sequence[str] = ("g0",), names: Sequence[str] = (SERVER,)) -> Servers:
        wanted = tuple(Server(role, name, tuple(clients)) for role, name in zip(ROLES, names, strict=False))
        return Servers(wanted, self.provider, self.guest_setup, self.play, tell=self.events.append)

    def run(self, scripts: dict[str, str], *, guests: int = 1, persist: bool = False, **settings: Any) -> Drained:
        suite = ToySuite(scripts, self.path / "leftovers", **settings)
        clients = [f"g{number}" for number in range(guests)]
        job = self.job(suite, guests=guests, seconds=1.0, servers=self.servers(clients))
        return self.drive(job, guests, persist=persist)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(tmp_path)
    for role in ROLES:
        monkeypatch.setitem(servers._SERVES, role, ("test", "-e", str(bench.serving(f"lab-{role}"))))
    return bench


def test_the_server_serves_before_the_first_guest_boots_and_ends_with_the_run(bench: Bench) -> None:
    assert bench.run({"a": "true", "b": "exit 1"}).state is RunState.COMPLETE
    assert [boot[0] for boot in bench.provider.boots] == [SERVER, "g0"]
    assert bench.plays == [SERVER]
    assert not (bench.provider.directory / SERVER / "up").exists()


def test_a_server_that_is_to_be_kept_serves_the_next_run_as_it_is(bench: Bench) -> None:
    bench.run({"a": "true"}, persist=True)
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
    hangs = bench.once(f"rm {bench.serving()}; sleep 60")
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


def test_a_failure_under_a_server_that_serves_no_more_is_no_failure(bench: Bench) -> None:
    fails = bench.once(f"rm {bench.serving()}; exit 1")
    assert bench.run({"a": fails, "b": f"test -e {bench.serving()}", "c": "true"}).state is RunState.COMPLETE
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS, "c": Status.PASS}
    assert [trouble for trouble in bench.troubles() if "lab-nfsd serves no more" in trouble]
    assert bench.plays == [SERVER, SERVER]


def test_a_failure_under_a_server_that_serves_is_one(bench: Bench) -> None:
    bench.run({"a": "exit 1", "b": "true", "c": "exit 1"})
    assert bench.statuses() == {"a": Status.FAIL, "b": Status.PASS, "c": Status.FAIL}
    assert bench.boots() == bench.boots(SERVER) == 1


def test_a_test_that_never_leaves_a_service_alive_has_no_result(bench: Bench) -> None:
    drained = bench.run({"a": "true", "killer": f"rm {bench.serving()}; exit 1", "z": "true"})
    assert drained.state is RunState.INCOMPLETE
    assert bench.statuses() == {"a": Status.PASS, "killer": Status.MISSING, "z": Status.PASS}
    assert bench.outcome("killer").reason == "lab-nfsd serves no more"


def test_a_harness_that_gives_up_without_its_server_is_given_another(bench: Bench) -> None:
    gives_up = f"if [ ! -e {bench.path}/before ]; then touch {bench.path}/before; rm {bench.serving()}; "
    assert bench.run({"a": "true", "b": "true"}, before=f"{gives_up} echo refused: mount; exit 1; fi").state is (
        RunState.COMPLETE
    )
    assert set(bench.statuses().values()) == {Status.PASS}
    assert "lab-nfsd serves no more" in bench.troubles()[0]


def test_what_the_kernel_says_while_a_failure_is_proven_is_of_the_next_test(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(servers._SERVES, "nfsd", ("sh", "-c", f"sleep 1; test -e {bench.serving()}"))
    bench.run({"a": "exit 1", "b": f"sleep 0.4; echo '{KASAN}' >> {bench.console()}; sleep 1.5", "c": "true"})
    assert bench.statuses() == {"a": Status.FAIL, "b": Status.PASS, "c": Status.PASS}
    assert bench.outcome("a").oops == bench.outcome("c").oops == ""
    assert bench.outcome("b").oops.startswith("BUG: KASAN")


def test_a_server_that_never_serves_leaves_a_run_to_resume(bench: Bench) -> None:
    bench.broken = True
    drained = bench.run({"a": "true"})
    assert drained.state is RunState.INTERRUPTED
    assert bench.statuses() == {}
    assert "does not serve" in drained.errors[0].message


def test_servers_come_up_beside_each_other_and_guests_while_they_do(bench: Bench) -> None:
    async def play(server: Server) -> None:
        bench.plays.append(server.name)
        async with asyncio.timeout(5):
            while len(bench.plays) < 2 or not bench.boots():  # noqa: ASYNC110 - nobody tells of either
                await asyncio.sleep(0.01)
        bench.serving(server.name).touch()

    both = bench.servers(names=["lab-nfsd", "lab-smbd"])
    both.play = play
    bench.drive(bench.job(ToySuite({"a": "true"}, bench.path / "leftovers"), servers=both))
    assert bench.statuses() == {"a": Status.PASS}
    assert bench.provider.boots[-1][0] == "g0"


def test_a_server_that_fails_cuts_no_other_short(bench: Bench) -> None:
    async def play(server: Server) -> None:
        if server.role == "nfsd":
            raise InfrastructureError("no such package")
        await asyncio.sleep(0.1)
        bench.serving(server.name).touch()

    both = bench.servers(names=["lab-nfsd", "lab-smbd"])
    both.play = play
    with pytest.raises(InfrastructureError, match="no such package"):
        asyncio.run(both.up())
    assert bench.serving("lab-smbd").exists()


def test_who_waits_for_a_server_that_cannot_be_made_tries_for_himself(bench: Bench) -> None:
    bench.broken = True
    server = bench.servers()

    async def main() -> list[int | BaseException]:
        return await asyncio.gather(server.up(), server.up(), return_exceptions=True)

    assert [type(end) for end in asyncio.run(main())] == [InfrastructureError, InfrastructureError]
    assert bench.boots(SERVER) == 2


def test_a_guest_of_which_no_server_can_be_made_is_booted_afresh(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh: list[bool] = []
    up = bench.provider.up

    async def watched(name: str, **how: Any) -> LocalGuest:
        fresh.append(how["fresh"])
        return await up(name, **how)

    monkeypatch.setattr(bench.provider, "up", watched)
    server = bench.servers()

    async def main() -> None:
        bench.broken = True
        with pytest.raises(InfrastructureError):
            await server.up()
        bench.broken = False
        assert await server.up() == 2
        bench.serving().unlink()
        assert await server.up() == 3

    asyncio.run(main())
    assert fresh == [False, True, False]


def test_nobody_to_serve_costs_nothing() -> None:
    nobody = Servers()
    assert asyncio.run(nobody.up()) == 0
    assert nobody.lost(0) == asyncio.run(nobody.ill()) == ""


def test_what_the_kernel_of_a_server_says_is_told_though_every_test_passes(bench: Bench) -> None:
    bench.run({"a": f"echo '{KASAN}' >> {bench.console(SERVER)}", "b": "true"})
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS}
    (report,) = bench.store.run(bench.run_id).record["stray_reports"]
    assert (report["guest"], report["kind"], report["gates"]) == (SERVER, "kasan", True)
    assert report["when"] == "while toy/default/a ran"


def test_the_last_words_of_a_server_are_kept(bench: Bench) -> None:
    bench.run({"a": bench.once(f"{bench.server_dies(PANIC)}; sleep 1; exit 1"), "b": "true"})
    assert set(bench.statuses().values()) == {Status.PASS}
    assert [report["kind"] for report in bench.store.run(bench.run_id).record["stray_reports"]] == ["panic"]
