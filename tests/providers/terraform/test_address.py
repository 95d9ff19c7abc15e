"""This machine's public address: one address, or nothing."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.providers.terraform import address as terraform_address
from kdevops.providers.terraform.address import as_range, public_address


def test_an_address_is_a_range_of_one() -> None:
    assert as_range("8.8.8.8\n") == "8.8.8.8/32"
    assert as_range("2001:4860:4860::8888") == "2001:4860:4860::8888/128"


@pytest.mark.parametrize(
    "answer", ["0.0.0.0", "0.0.0.0/0", "::", "::/0", "10.0.0.1", "127.0.0.1", "192.168.1.1", "169.254.1.1", "224.0.0.1", "", "x"]
)  # fmt: skip
def test_what_is_no_public_address_is_refused(answer: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - ipaddress says it in its own words
        as_range(answer)


@given(st.text(max_size=40) | st.ip_addresses().map(str))
def test_no_answer_ever_opens_more_than_one_address(answer: str) -> None:
    try:
        found = as_range(answer)
    except ValueError:
        return
    address, _, length = found.partition("/")
    assert ip_address(address).is_global
    assert length == ("128" if ":" in address else "32")


def test_the_second_service_is_asked_when_the_first_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(service: str) -> str:
        asked.append(service)
        if service == "https://first":
            raise OSError("no route to host")
        return "10.1.2.3" if service == "https://second" else "9.9.9.9"

    monkeypatch.setattr(terraform_address, "_ask", ask)
    assert asyncio.run(public_address(["https://first", "https://second", "https://third"])) == "9.9.9.9/32"
    assert asked == ["https://first", "https://second", "https://third"]
    with pytest.raises(UserError, match=r"no route to host.*10\.1\.2\.3 is not a public address") as error:
        asyncio.run(public_address(["https://first", "https://second"]))
    assert "provider.allow" in (error.value.hint or "")


def test_only_https_is_asked() -> None:
    with pytest.raises(UserError, match="only https"):
        asyncio.run(public_address(["http://127.0.0.1:1/", "file:///etc/hostname"]))
