from __future__ import annotations

import contextlib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.kernel.options import Request, format_config, merge, parse_config, parse_fragment, satisfies
from kdevops.kernel.spec import Asked

symbols = st.from_regex(r"[A-Z][A-Z0-9_]{0,12}", fullmatch=True)
values = st.sampled_from(["y", "m", "n", "0", "-5", "0x1F", '""', '"a b # c"', r'"say \"hi\""'])


@given(st.dictionaries(symbols, values))
def test_config_round_trip(options: dict[str, str]) -> None:
    assert parse_config(format_config(options)) == options


@given(st.dictionaries(symbols, values))
def test_fragment_reads_what_format_config_writes(options: dict[str, str]) -> None:
    assert {one.symbol: one.value for one in parse_fragment(format_config(options), "x")} == options


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    parse_config(text)
    with contextlib.suppress(UserError):
        parse_fragment(text, "x")


def test_fragment_marks_what_is_optional() -> None:
    asked = parse_fragment("# words\n\nCONFIG_A=y\nCONFIG_B=m # optional: since 6.2\n# CONFIG_C is not set\n", "mine")
    assert asked == [Request("A", "y", "mine"), Request("B", "m", "mine", required=False), Request("C", "n", "mine")]


@pytest.mark.parametrize("line", ["CONFIG_A", "CONFIG_A=yes", "A B=y", "CONFIG_A=y # because", 'CONFIG_A="open'])
def test_fragment_refuses_with_the_line(line: str) -> None:
    with pytest.raises(UserError, match="mine, line 2: "):
        parse_fragment(f"CONFIG_OK=y\n{line}\n", "mine")


@pytest.mark.parametrize("file", [entry.name for entry in files("kdevops.kernel").joinpath("configs").iterdir()])
def test_shipped_configurations_are_well_formed(file: str) -> None:
    text = files("kdevops.kernel").joinpath("configs", file).read_text()
    names = [one.symbol for one in parse_fragment(text, file)]
    assert names
    assert len(names) == len(set(names))
    assert all(line.startswith(("CONFIG_", "#")) or not line for line in text.splitlines())


def test_the_user_goes_over_the_base_and_the_last_over_the_first() -> None:
    merged, warnings = merge(
        [Request("A", "y", "base"), Request("B", "y", "base")],
        [Request("A", "m", "fragment"), Request("A", "n", "options")],
        [],
    )
    assert merged == {"A": Request("A", "n", "options"), "B": Request("B", "y", "base")}
    assert warnings == []


def test_the_base_gives_way_to_a_suite() -> None:
    merged, _ = merge([Request("A", "n", "base")], [], [Asked("suite", {"A": "y"})])
    assert merged["A"] == Request("A", "y", "suite")


@pytest.mark.parametrize(("first", "second"), [("y", "m"), ("m", "y"), ("y", "y")])
def test_built_in_does_for_a_module(first: str, second: str) -> None:
    merged, _ = merge([], [], [Asked("one", {"A": first}), Asked("two", {"A": second})])
    assert merged["A"].value == "y"


def test_a_module_request_leaves_the_base_built_in() -> None:
    merged, _ = merge([Request("A", "y", "base")], [], [Asked("one", {"A": "m"})])
    assert merged["A"] == Request("A", "y", "one")


def test_contradiction_names_both_askers() -> None:
    with pytest.raises(UserError, match="CONFIG_A: suite one wants y, suite two wants n"):
        merge([], [], [Asked("suite one", {"A": "y"}), Asked("suite two", {"A": "n"})])
    with pytest.raises(UserError, match="CONFIG_A: config: options wants n, suite one wants y"):
        merge([], [Request("A", "n", "config: options")], [Asked("suite one", {"A": "y"})])


def test_an_optional_request_loses_and_says_so() -> None:
    merged, warnings = merge(
        [], [Request("A", "n", "config: options")], [Asked("suite", optional={"A": "y", "B": "y"})]
    )
    assert merged["A"].value == "n"
    assert merged["B"] == Request("B", "y", "suite", required=False)
    assert warnings == ["CONFIG_A=y, optional for suite, is n: config: options wants it"]


@given(symbols, values, values)
def test_required_requests_agree_or_are_refused(symbol: str, one: str, other: str) -> None:
    asked = [Asked("one", {symbol: one}), Asked("other", {symbol: other})]
    try:
        merged, _ = merge([], [], asked)
    except UserError:
        assert not satisfies(one, other)
        assert not satisfies(other, one)
    else:
        assert satisfies(merged[symbol].value, one)
        assert satisfies(merged[symbol].value, other)
