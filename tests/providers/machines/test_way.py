"""How a machine that is asked for is brought up: every case that is told apart."""

from __future__ import annotations

from itertools import product

import pytest

from kdevops.providers.machines.way import Found, Trust, Way, boot_again, trust, way_up

SAME = Found(now="b1", known=True, had="b1", same=True)


@pytest.mark.parametrize(
    ("found", "way"),
    [
        pytest.param(SAME, Way.KEEP, id="in the boot that it was given in"),
        pytest.param(Found("b1", True, "b1", same=False), Way.INSTALL, id="another kernel is asked for"),
        pytest.param(Found("b1", True, "b1", True, spoilt=True), Way.RESET, id="spoilt"),
        pytest.param(Found("b1", True, "b1", True, fresh=True), Way.RESET, id="a fresh boot is asked for"),
        pytest.param(Found("b1", True, "b1", False, fresh=True), Way.INSTALL, id="fresh, and its kernel is another's"),
        pytest.param(Found("b1", True, "", False), Way.INSTALL, id="known, but never given"),
        pytest.param(Found("b1", True, "", False, spoilt=True), Way.RESET, id="never given, and spoilt"),
        pytest.param(Found("b2", True, "b1", True), Way.INSTALL, id="it booted meanwhile"),
        pytest.param(Found("b2", True, "b1", True, spoilt=True), Way.INSTALL, id="spoilt, but it booted meanwhile"),
        pytest.param(Found("b2", True, "b1", True, fresh=True), Way.INSTALL, id="fresh, and it booted meanwhile"),
        pytest.param(Found("b1"), Way.INSTALL, id="it was made just now"),
        pytest.param(Found("b1", fresh=True), Way.INSTALL, id="made just now, and a fresh boot is asked for"),
        pytest.param(Found("b1", preexisting=True), Way.INSTALL, id="somebody's, for the first time"),
        pytest.param(Found(""), Way.REFUSE, id="it was made and never answers"),
        pytest.param(Found("", preexisting=True), Way.RESET, id="somebody's, and silent"),
        pytest.param(Found("", True, "b1", True), Way.RESET, id="silent since it was given"),
        pytest.param(Found("", True, "", False), Way.RESET, id="silent, and never given"),
        pytest.param(Found("", True, "b1", True, fresh=True), Way.RESET, id="not asked, because it will be reset"),
    ],
)
def test_the_way_up(found: Found, way: Way) -> None:
    assert way_up(found) is way


def test_a_boot_that_must_not_be_used_is_never_kept() -> None:
    flags = (False, True)
    for now, known, had, same, spoilt, fresh, preexisting in product(("", "b1", "b2"), flags, ("", "b1"), *[flags] * 4):
        found = Found(now, known, had, same, spoilt, fresh, preexisting)
        if way_up(found) is Way.KEEP:
            assert known
            assert same
            assert now == had
            assert not spoilt
            assert not fresh


@pytest.mark.parametrize(
    ("found", "boot_id", "again"),
    [
        pytest.param(Found("b1", fresh=True), "b1", True, id="the kernel was there, in a used boot"),
        pytest.param(Found("b1", fresh=True), "b2", False, id="it was booted to have its kernel"),
        pytest.param(Found("", True, "b1", fresh=True), "b1", True, id="it came back in the boot that it was given in"),
        pytest.param(Found("b1"), "b1", False, id="no fresh boot is asked for"),
    ],
)
def test_a_fresh_boot_is_one_in_which_nothing_ran(found: Found, boot_id: str, again: bool) -> None:
    assert boot_again(found, boot_id) is again


@pytest.mark.parametrize(
    ("now", "had", "doomed", "preexisting", "worth"),
    [
        ("b1", "b1", False, False, Trust.YES),
        ("b1", "b1", False, True, Trust.YES),
        ("b2", "b1", False, False, Trust.UNLESS_GONE),
        ("b2", "", False, False, Trust.UNLESS_GONE),
        ("", "b1", True, False, Trust.UNLESS_GONE),
        ("", "b1", False, True, Trust.UNLESS_GONE),
        ("", "b1", False, False, Trust.NO),
        ("", "", False, False, Trust.NO),
    ],
)
def test_what_a_remembered_address_is_worth(now: str, had: str, doomed: bool, preexisting: bool, worth: Trust) -> None:
    assert trust(now, had, doomed=doomed, preexisting=preexisting) is worth
