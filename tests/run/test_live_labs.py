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
from kdevops.run.live_labs import forget, live_labs, recorded_lab, remember, remember_again
from kdevops.run.places import Places

COMPARE = {"kernel": {"cmdline": "old"}}


def lab(**said: Any) -> Lab:
    return Lab.model_validate({"name": "ab", "suites": {"commands": {"tests": {"nothing": "true"}}}, **said})


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "state", tmp_path / "cache")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """What was asked of `manual`: the verb, the lab's name and how many guests it has."""
    asked: list[tuple[str, str, int]] = []

    def record(verb: str) -> Any:
        async def do(each: Lab, places: Places, *_: object) -> tuple[GuestStatus, ...]:
            asked.append((verb, each.name, each.guests.count))
            return tuple(GuestStatus(name, "running") for name in each.guest_names())

        return do

    monkeypatch.setattr(manual, "down", record("down"))
    monkeypatch.setattr(manual, "status", record("status"))
    return asked


def test_the_other_arm_is_found_after_compare_was_taken_out(places: Places, asked: list[tuple[str, str, int]]) -> None:
    remember(arms_of(lab(compare=COMPARE, guests={"count": 2})), places)
    guests = asyncio.run(arms.status(lab(), places))
    assert [guest.name for guest in guests] == ["ab-1", "ab-2", "ab-dev-1", "ab-dev-2"]
    asyncio.run(arms.down(lab(), places))
    assert asked[2:] == [("down", "ab", 2), ("down", "ab-dev", 2)]
    asyncio.run(arms.down(lab(), places))
    assert asked[4:] == [("down", "ab", 1)], "what is down is not looked for again"


def test_what_could_not_be_taken_down_is_tried_again(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(each: Lab, places: Places, *_: object) -> tuple[GuestStatus, ...]:
        raise InfrastructureError("it does not end")

    monkeypatch.setattr(manual, "down", down)
    remember(arms_of(lab(compare=COMPARE)), places)
    with pytest.raises(InfrastructureError):
        asyncio.run(arms.down(lab(), places))
    assert [each.name for each in live_labs(lab(), places)] == ["ab", "ab-dev"]


def test_a_lab_of_that_name_which_is_nobodys_arm_is_left_alone(places: Places) -> None:
    places.lab("ab-dev").mkdir(parents=True)
    assert live_labs(lab(), places) == (lab(),)
    remember(arms_of(lab(compare=COMPARE)), places)
    remember((lab(name="ab-dev"),), places)
    assert [each.name for each in live_labs(lab(), places)] == ["ab"], "it was brought up for itself since"


def test_both_are_asked_where_an_arm_was_elsewhere(places: Places) -> None:
    remember(arms_of(lab(compare=COMPARE, provider={"type": "vagrant"})), places)
    found = [(each.name, each.provider.type) for each in live_labs(lab(), places)]
    assert found == [("ab", "qemu"), ("ab", "vagrant"), ("ab-dev", "vagrant")]


def test_a_lab_is_itself_where_nothing_was_brought_up(places: Places) -> None:
    compared = lab(compare=COMPARE)
    assert live_labs(compared, places) == arms_of(compared)
    forget(compared, places)


@given(st.one_of(st.binary(max_size=40), st.sampled_from([b"[]", b"{}", b'{"of": "ab"}', b'{"of": "ab", "lab": {}}'])))
def test_rubbish_is_nothing(tmp_path_factory: pytest.TempPathFactory, rubbish: bytes) -> None:
    places = Places(tmp_path_factory.mktemp("state"), Path("/nonexistent"))
    remember(arms_of(lab(compare=COMPARE)), places)
    (places.lab("ab-dev") / "arm.json").write_bytes(rubbish)
    assert [each.name for each in live_labs(lab(), places)] == ["ab"]


def test_a_single_lab_is_what_its_file_says_now_and_is_found_where_it_was(places: Places) -> None:
    remember((lab(provider={"type": "vagrant"}, guests={"count": 3}),), places)
    assert [(each.provider.type, each.guests.count) for each in live_labs(lab(), places)] == [
        ("qemu", 1),
        ("vagrant", 3),
    ]
    remember((lab(guests={"count": 3}),), places)
    assert live_labs(lab(), places) == (lab(),), (
        "of the same provider's guests the provider itself finds those that run"
    )


def test_what_comes_from_a_run_s_record_does_not_make_an_arm_a_lab_of_its_own(places: Places) -> None:
    before, under_test = arms_of(lab(compare=COMPARE))
    remember((before, under_test), places)
    remember_again(under_test, places)
    assert live_labs(lab(), places) == (before, under_test)
    forget(lab(), places)
    assert recorded_lab("ab-dev", Path("x.yaml"), places) is None
    remember_again(under_test, places)
    assert recorded_lab("ab-dev", Path("x.yaml"), places) == under_test
