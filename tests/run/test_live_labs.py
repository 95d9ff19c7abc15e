"""Guests are found as what they came up as, whatever the lab file says since."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import InfrastructureError
from kdevops.lab.arms import arms as arms_of
from kdevops.lab.model import Lab
from kdevops.providers.base import GuestStatus
from kdevops.run import arms, manual
from kdevops.run.dirs import Dirs
from kdevops.run.live_labs import forget, live_labs, recorded_lab, remember, remember_again

COMPARE = {"kernel": {"cmdline": "old"}}


def lab(**said: Any) -> Lab:
    return Lab.model_validate({"name": "ab", "suites": {"commands": {"tests": {"nothing": "true"}}}, **said})


@pytest.fixture
def dirs(tmp_path: Path) -> Dirs:
    return Dirs(tmp_path / "state", tmp_path / "cache")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """What was asked of `manual`: the verb, the lab's name and how many guests it has."""
    asked: list[tuple[str, str, int]] = []

    def record(verb: str) -> Any:
        async def do(each: Lab, dirs: Dirs, *_: object) -> tuple[GuestStatus, ...]:
            asked.append((verb, each.name, each.guests.count))
            return tuple(GuestStatus(name, "running") for name in each.guest_names())

        return do

    monkeypatch.setattr(manual, "down", record("down"))
    monkeypatch.setattr(manual, "status", record("status"))
    return asked


def test_the_other_arm_is_found_after_compare_was_taken_out(dirs: Dirs, asked: list[tuple[str, str, int]]) -> None:
    remember(arms_of(lab(compare=COMPARE, guests={"count": 2})), dirs)
    guests = asyncio.run(arms.status(lab(), dirs))
    assert [guest.name for guest in guests] == ["ab-1", "ab-2", "ab-dev-1", "ab-dev-2"]
    asyncio.run(arms.down(lab(), dirs))
    assert asked[2:] == [("down", "ab", 2), ("down", "ab-dev", 2)]
    asyncio.run(arms.down(lab(), dirs))
    assert asked[4:] == [("down", "ab", 1)], "what is down is not looked for again"


def test_what_could_not_be_taken_down_is_tried_again(dirs: Dirs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(each: Lab, dirs: Dirs, *_: object) -> tuple[GuestStatus, ...]:
        raise InfrastructureError("it does not end")

    monkeypatch.setattr(manual, "down", down)
    remember(arms_of(lab(compare=COMPARE)), dirs)
    with pytest.raises(InfrastructureError):
        asyncio.run(arms.down(lab(), dirs))
    assert [each.name for each in live_labs(lab(), dirs)] == ["ab", "ab-dev"]


def test_a_lab_of_that_name_which_is_nobodys_arm_is_left_alone(dirs: Dirs) -> None:
    dirs.lab("ab-dev").mkdir(parents=True)
    assert live_labs(lab(), dirs) == (lab(),)
    remember(arms_of(lab(compare=COMPARE)), dirs)
    remember((lab(name="ab-dev"),), dirs)
    assert [each.name for each in live_labs(lab(), dirs)] == ["ab"], "it was brought up for itself since"


def test_both_are_asked_where_an_arm_was_elsewhere(dirs: Dirs) -> None:
    remember(arms_of(lab(compare=COMPARE, provider={"type": "vagrant"})), dirs)
    found = [(each.name, each.provider.type) for each in live_labs(lab(), dirs)]
    assert found == [("ab", "qemu"), ("ab", "vagrant"), ("ab-dev", "vagrant")]


def test_a_lab_is_itself_where_nothing_was_brought_up(dirs: Dirs) -> None:
    compared = lab(compare=COMPARE)
    assert live_labs(compared, dirs) == arms_of(compared)
    forget(compared, dirs)


@given(st.one_of(st.binary(max_size=40), st.sampled_from([b"[]", b"{}", b'{"of": "ab"}', b'{"of": "ab", "lab": {}}'])))
def test_rubbish_is_nothing(tmp_path_factory: pytest.TempPathFactory, rubbish: bytes) -> None:
    dirs = Dirs(tmp_path_factory.mktemp("state"), Path("/nonexistent"))
    remember(arms_of(lab(compare=COMPARE)), dirs)
    (dirs.lab("ab-dev") / "arm.json").write_bytes(rubbish)
    assert [each.name for each in live_labs(lab(), dirs)] == ["ab"]


def test_a_single_lab_is_what_its_file_says_now_and_is_found_where_it_was(dirs: Dirs) -> None:
    remember((lab(provider={"type": "vagrant"}, guests={"count": 3}),), dirs)
    assert [(each.provider.type, each.guests.count) for each in live_labs(lab(), dirs)] == [
        ("qemu", 1),
        ("vagrant", 3),
    ]
    remember((lab(guests={"count": 3}),), dirs)
    assert live_labs(lab(), dirs) == (lab(),), "of the same provider's guests the provider itself finds those that run"


def test_what_comes_from_a_run_s_record_does_not_make_an_arm_a_lab_of_its_own(dirs: Dirs) -> None:
    before, under_test = arms_of(lab(compare=COMPARE))
    remember((before, under_test), dirs)
    remember_again(under_test, dirs)
    assert live_labs(lab(), dirs) == (before, under_test)
    forget(lab(), dirs)
    assert recorded_lab("ab-dev", Path("x.yaml"), dirs) is None
    remember_again(under_test, dirs)
    assert recorded_lab("ab-dev", Path("x.yaml"), dirs) == under_test
