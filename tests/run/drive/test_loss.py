"""What the loss of a guest says of the test that ran in it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import BrokenSshError, InfrastructureError, LostGuestError
from kdevops.guest.console import Position
from kdevops.providers.base import Guest
from kdevops.results.model import Status
from kdevops.run.drive import lost_guest as asking
from kdevops.run.drive.loss import Judgement, Loss, classify_loss
from kdevops.run.drive.lost_guest import outcome_of_loss, prove_silent

PANIC = "Kernel panic - not syncing: x"
SOFT = "watchdog: BUG: soft lockup - CPU#0 stuck for 26s!"
KASAN = "BUG: KASAN: use-after-free in foo"


@pytest.mark.parametrize(
    ("loss", "judgement", "reason"),
    [
        (Loss(gone="taken", report=PANIC, fatal=True, last=True), Judgement.TROUBLE, "taken"),
        (Loss(gone="QEMU was killed by SIGKILL", last=True), Judgement.TROUBLE, "SIGKILL"),
        (Loss(report=PANIC, fatal=True), Judgement.CRASH, PANIC),
        (Loss(report=PANIC, fatal=True, alive=True, held="full"), Judgement.CRASH, PANIC),
        (Loss(report=PANIC, fatal=True, lost=60), Judgement.CRASH, PANIC),  # no hold makes a kernel oops
        (Loss(report=SOFT, fatal=True, stall=True), Judgement.CRASH, SOFT),
        (Loss(report=SOFT, fatal=True, stall=True, lost=60), Judgement.AGAIN, ""),  # softlockup_panic in a held machine
        (Loss(report=SOFT, fatal=True, stall=True, lost=60, last=True), Judgement.TROUBLE, "held up"),
        (Loss(alive=True, held="full"), Judgement.TROUBLE, "does not run: full"),
        (Loss(alive=True, held="full", last=True), Judgement.TROUBLE, "does not run: full"),
        (Loss(alive=True, broken="ssh was killed", answers=True, last=True), Judgement.TROUBLE, "ssh was killed"),
        (Loss(alive=True, broken="Network is unreachable", last=True), Judgement.TROUBLE, "Network"),
        (Loss(broken="ssh was killed", last=True), Judgement.CRASH, "without a message"),  # it ended for itself
        (Loss(alive=True, report=KASAN), Judgement.HANG, "stopped answering"),
        (Loss(alive=True, report=SOFT, stall=True), Judgement.HANG, "stopped answering"),
        (Loss(alive=True, report=SOFT, stall=True, lost=60), Judgement.AGAIN, ""),
        (Loss(alive=True, answers=True, report=KASAN), Judgement.AGAIN, ""),  # the connection alone is lost
        (Loss(alive=True), Judgement.AGAIN, ""),
        (Loss(alive=True, last=True), Judgement.HANG, "stopped answering 3 times in a row"),
        (Loss(alive=True, last=True, lost=10), Judgement.TROUBLE, "held up"),
        (Loss(alive=True, answers=True), Judgement.AGAIN, ""),
        (Loss(alive=True, answers=True, last=True), Judgement.HANG, "the connection broke 3 times in a row"),
        (Loss(), Judgement.AGAIN, ""),
        (Loss(last=True), Judgement.CRASH, "the machine ended without a message 3 times in a row"),
        (
            Loss(last=True, farewell="reboot: System halted"),
            Judgement.CRASH,
            "the guest ended the machine (reboot: System halted)",
        ),
        (Loss(last=True, lost=10), Judgement.TROUBLE, "held up"),
    ],
)
def test_what_a_loss_says(loss: Loss, judgement: Judgement, reason: str) -> None:
    found, why = classify_loss(loss)
    assert found is judgement
    assert reason in why


texts = st.sampled_from(["", "x"])
losses = st.builds(
    Loss,
    gone=texts,
    held=texts,
    broken=texts,
    lost=st.sampled_from([0.0, 8.0]),
    alive=st.booleans(),
    answers=st.booleans(),
    report=texts,
    fatal=st.booleans(),
    stall=st.booleans(),
    farewell=texts,
    last=st.booleans(),
)


@given(losses)
def test_no_loss_becomes_a_result_that_the_host_may_have_made(loss: Loss) -> None:
    judgement, why = classify_loss(loss)
    assert why
    if judgement in (Judgement.CRASH, Judgement.HANG):
        assert not loss.gone
        assert loss.believed or not loss.lost
        assert loss.believed or loss.last, "a fresh guest was asked"
        assert loss.believed or not (loss.alive and (loss.held or loss.broken))
    if judgement is Judgement.AGAIN:
        assert not loss.last, "nothing goes on for ever"


@dataclass
class Ssh:
    answers_it: bool
    asked: int = 0

    async def answers(self, *, timeout: float) -> bool:
        self.asked += 1
        return self.answers_it


@dataclass
class Lost:
    """A guest of which everything is known beforehand."""

    console: Path
    answers: bool = True
    there: bool = True
    name: str = "g0"
    why_gone: str = ""
    holds: list[str] = field(default_factory=list)
    another_boot: bool = False

    def __post_init__(self) -> None:
        self.ssh = Ssh(self.answers)

    def alive(self) -> bool:
        return self.there

    async def gone(self) -> str:
        return self.why_gone

    async def held(self) -> str:
        return self.holds.pop(0) if self.holds else ""

    async def restarted(self) -> bool:
        return self.another_boot


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(asking, "LAST_WORDS", 0.0)
    (tmp_path / "console.log").touch()
    return tmp_path / "console.log"


def ask(guest: Lost, *, error: InfrastructureError | None = None, last: bool = True, lost: float = 0.0) -> Any:
    work = outcome_of_loss(
        cast(Guest, guest), error or LostGuestError("lost"), Position(0), 7.0, slowdown=1.0, last=last, lost=lost
    )
    return asyncio.run(work)


def test_a_silent_guest_hangs_only_when_fresh_ones_were_silent_too(console: Path) -> None:
    with pytest.raises(LostGuestError):
        ask(Lost(console, answers=False), last=False)
    outcome = ask(Lost(console, answers=False))
    assert (outcome.status, outcome.seconds) == (Status.HANG, 7.0)


@pytest.mark.parametrize("holds", [["full"], ["", "full"]])  # before it is asked, or while it did not answer
def test_a_silent_guest_that_does_not_run_is_no_result(console: Path, holds: list[str]) -> None:
    with pytest.raises(InfrastructureError, match="the machine does not run: full"):
        ask(Lost(console, answers=False, holds=holds))


def test_a_way_that_broke_here_is_no_result(console: Path) -> None:
    with pytest.raises(InfrastructureError, match="ssh was killed"):
        ask(Lost(console), error=BrokenSshError("ssh was killed"))


def test_a_machine_in_another_boot_is_not_asked_whether_it_answers(console: Path) -> None:
    guest = Lost(console, another_boot=True)
    assert ask(guest).status is Status.CRASH
    assert guest.ssh.asked == 0


def test_a_kernel_that_panics_for_a_hold_is_no_crash(console: Path) -> None:
    console.write_text(f"[   99.000000] {SOFT}\n[   99.100000] Kernel panic - not syncing: softlockup: hung tasks\n")
    assert ask(Lost(console, there=False)).status is Status.CRASH
    with pytest.raises(InfrastructureError, match="held up"):
        ask(Lost(console, there=False), lost=30.0)
    console.write_text(f"[   99.000000] {KASAN}\n[   99.100000] Kernel panic - not syncing: kasan\n")
    assert ask(Lost(console, there=False), lost=30.0).status is Status.CRASH


@pytest.mark.parametrize("guest", [{"why_gone": "killed"}, {"holds": ["full"]}, {"another_boot": True}])
def test_a_guest_past_its_deadline_does_not_hang_when_its_machine_does_not_run(
    console: Path, guest: dict[str, Any]
) -> None:
    with pytest.raises(LostGuestError):
        asyncio.run(prove_silent(cast(Guest, Lost(console, **guest))))
    asyncio.run(prove_silent(cast(Guest, Lost(console))))
