import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.nearest import nearest_first, same_release

UPSTREAM = (
    "6.1.42", "6.1.72", "6.1.72+", "6.1.0-rc6", "6.1.0-rc6+", "6.1.0-rc5-next-20221118", "6.0.9", "6.6.0-rc5",
    "6.6.0-rc5-large-block", "5.10.105", "5.10.105+", "6.1", "any", "4.19.0-4-amd64", "debian", "6.11.0-rc1+", "README.md",
)  # fmt: skip


@pytest.mark.parametrize(
    ("release", "order"),
    [
        ("6.1.192", "6.1.72 6.1.72+ 6.1.42 6.1.0-rc6 6.1.0-rc6+ 6.1 6.0.9 5.10.105 5.10.105+ 4.19.0-4-amd64 any"),
        ("6.1.72", "6.1.72 6.1.42 6.1.0-rc6 6.1.0-rc6+ 6.1 6.0.9 5.10.105 5.10.105+ 4.19.0-4-amd64 any"),
        ("6.1.72+", "6.1.72+ 6.1.72 6.1.42 6.1.0-rc6 6.1.0-rc6+ 6.1 6.0.9 5.10.105 5.10.105+ 4.19.0-4-amd64 any"),
        ("6.1.72-kdevops", "6.1.72 6.1.72+ 6.1.42 6.1.0-rc6 6.1.0-rc6+ 6.1 6.0.9 5.10.105 5.10.105+ 4.19.0-4-amd64 any"),
        ("6.1.72-rc1", "6.1.42 6.1.0-rc6 6.1.0-rc6+ 6.1 6.0.9 5.10.105 5.10.105+ 4.19.0-4-amd64 any"),
        ("6.1.0", "6.1.0-rc6 6.1.0-rc6+ 6.1 6.0.9 5.10.105 5.10.105+ 4.19.0-4-amd64 any"),
        ("6.1.0-rc5", "6.1 6.0.9 5.10.105 5.10.105+ 4.19.0-4-amd64 any"),
        ("6.1.0-rc5-next-20221118+", "6.1.0-rc5-next-20221118 6.1 6.0.9 5.10.105 5.10.105+ 4.19.0-4-amd64 any"),
        ("5.10.105", "5.10.105 4.19.0-4-amd64 any"),
        ("4.19.0-4-amd64", "4.19.0-4-amd64 any"),
        ("4.19.0-4-arm64", "any"),
        ("4.19.0-17-amd64", "4.19.0-4-amd64 any"),
        ("4.19.0-3-amd64", "any"),
        ("4.19.0", "any"),
        ("4.19.1", "4.19.0-4-amd64 any"),
        ("4.18.0", "any"),
        ("README.md", "README.md any"),
        ("any", "any"),
        ("", "any"),
        ("../6.1.42", "any"),
    ],
)  # fmt: skip
def test_what_applies_nearest_first(release: str, order: str) -> None:
    assert nearest_first(UPSTREAM, release) == tuple(order.split())


@pytest.mark.parametrize(
    "release",
    ["6.1.42-g1234abcd", "6.1.42-00012-g1234abcd", "6.1.42-00012-g1234abcd-dirty", "6.1.42-dirty", "6.1.42-mine", "6.1.42+"],
)  # fmt: skip
def test_what_the_build_adds_to_a_release_is_left_out(release: str) -> None:
    assert nearest_first(["6.1.11", "6.1.42"], release) == ("6.1.42", "6.1.11")
    assert same_release("6.1.42", release)
    assert not same_release("6.1.11", release)


def test_a_tree_of_its_own_is_found_whatever_its_build_adds() -> None:
    names = ["6.6.0-rc5-large-block", "6.6.0-rc5"]
    assert nearest_first(names, "6.6.0-rc5-large-block-g1234abcd+") == ("6.6.0-rc5-large-block", "6.6.0-rc5")
    assert same_release(names[0], "6.6.0-rc5-large-block+")
    assert nearest_first(names, "6.6.1") == ("6.6.0-rc5",)
    assert not same_release("6.1", "6.1.0")


@pytest.mark.parametrize("series", ["6.1", "6.1.y", "linux-6.1.y", "v6.1"])
def test_a_series_comes_after_its_releases(series: str) -> None:
    assert nearest_first(["6.0.9", series, "6.1.0-rc1", "any"], "6.1.7") == ("6.1.0-rc1", series, "6.0.9", "any")
    assert nearest_first([series, "6.0.9"], "6.2.0-rc1") == (series, "6.0.9")
    assert nearest_first([series], "6.0.9") == ()


numbers = st.integers(0, 3)
releases = st.builds(
    lambda major, minor, patch, rc, rest: f"{major}.{minor}.{patch}{f'-rc{rc}' if rc else ''}{rest}",
    numbers, numbers, numbers, numbers,
    st.sampled_from(["", "", "+", "-mine", "-g1234abcd", "-next-20221118", "-2-amd64", "-11-amd64", "-1-el", "-large-block+"]),
)  # fmt: skip
series = st.builds("{}.{}{}".format, numbers, numbers, st.sampled_from(["", ".y"]))
names = st.lists(releases | series | st.sampled_from(["any", "debian", "6.x", "1.2.3.4"]), max_size=20)


def version(name: str) -> tuple[float, ...]:
    """Major, minor, patch and rc, as simply as they can be read."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?(?:-rc(\d+))?", name)
    assert found
    major, minor, patch, rc = found.groups()
    return int(major), int(minor), int(patch or 0), float(rc or "inf")


@given(names, releases, st.randoms())
def test_the_order_is_total_and_depends_on_nothing_else(names: list[str], release: str, chance: st.DrawFn) -> None:
    found = nearest_first(names, release)
    chance.shuffle(names)  # type: ignore[attr-defined]
    assert nearest_first([*names, *names], release) == found
    assert len(set(found)) == len(found)
    assert set(found) <= set(names)
    for without in found:  # what is there besides changes no order
        assert nearest_first(set(names) - {without}, release) == tuple(name for name in found if name != without)


@given(names, releases)
def test_nothing_newer_applies_the_exact_name_is_first_and_any_last(names: list[str], release: str) -> None:
    found = nearest_first([*names, release, "any"], release)
    assert (found[0], found[-1]) == (release, "any")
    for name in found[1:-1]:
        assert version(name)[:2] <= version(release)[:2]
        if re.fullmatch(r"\d+\.\d+(\.y)?", name):
            continue
        assert version(name) <= version(release)
        if "-next" in name or "-large" in name or "-mine" in name or "-g1" in name:
            assert release.startswith(name)


@given(names, releases)
def test_newer_versions_come_before_older_ones(names: list[str], release: str) -> None:
    found = [name for name in nearest_first(names, release) if not release.startswith(name)]
    numbered = [version(name) for name in found if not re.fullmatch(r"any|\d+\.\d+(\.y)?", name)]
    assert numbered == sorted(numbered, reverse=True)


@given(st.lists(st.text(max_size=12), max_size=6), st.text(max_size=12))
def test_any_name_is_read_or_left_out(names: list[str], release: str) -> None:
    assert set(nearest_first(names, release)) <= set(names)
    assert not same_release("6.1.42", "x" + release)
