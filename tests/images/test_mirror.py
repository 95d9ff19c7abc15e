from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.images.mirror import Source, host_sources, parse_deb822, parse_lines

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
WORD = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-./", min_size=1, max_size=12).map(lambda word: f"a{word}")
SOURCES = st.builds(
    Source,
    uri=WORD.map(lambda word: f"http://mirror/{word}"),
    suite=WORD,
    components=st.lists(WORD, min_size=1, max_size=3).map(tuple),
    signed_by=st.just("") | WORD.map(lambda word: f"/{word}"),
)


def apt(tmp_path: Path, **files: str) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    for name, text in files.items():
        path = tmp_path / "sources.list" if name == "main" else tmp_path / "sources.list.d" / name.replace("_", ".")
        path.write_text(text)
    return tmp_path


def test_deb822_of_the_same_suite_with_updates_and_security(tmp_path: Path) -> None:
    text = f"""Types: deb
# http://elsewhere/debian
URIs: http://mirror/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: {KEYRING}

Types: deb deb-src
URIs: http://mirror/debian-security
Suites: bookworm-security
Components: main
Signed-By: {KEYRING}
"""
    assert host_sources("bookworm", apt(tmp_path, debian_sources=text)) == [
        f"deb [signed-by={KEYRING}] http://mirror/debian bookworm main contrib",
        f"deb [signed-by={KEYRING}] http://mirror/debian bookworm-updates main contrib",
        f"deb [signed-by={KEYRING}] http://mirror/debian-security bookworm-security main",
    ]


def test_one_line_format(tmp_path: Path) -> None:
    text = "# comment\ndeb http://mirror/debian/ bookworm main # mine\ndeb-src http://mirror/debian bookworm main\n"
    assert host_sources("bookworm", apt(tmp_path, main=text)) == ["deb http://mirror/debian/ bookworm main"]


def test_a_host_of_another_release_lends_its_mirror(tmp_path: Path) -> None:
    text = "deb http://mirror/debian-security trixie-security main\ndeb http://mirror/debian trixie main\n"
    assert host_sources("bookworm", apt(tmp_path, main=text)) == ["deb http://mirror/debian bookworm main"]


@pytest.mark.parametrize(
    "line",
    [
        "deb http://archive/ubuntu jammy main",
        "deb [signed-by=/etc/apt/keyrings/vendor.gpg] http://vendor/linux/debian bookworm main",
        "deb http://vendor/linux/debian bookworm stable",
        "deb http://vendor/apt bookworm main",
        "deb http://vendor/debian",
        "garbage",
    ],
)
def test_what_is_not_debian_is_left_alone(tmp_path: Path, line: str) -> None:
    assert host_sources("bookworm", apt(tmp_path, vendor_list=line)) == []


def test_no_settings_at_all(tmp_path: Path) -> None:
    assert host_sources("bookworm", tmp_path) == []


def test_a_disabled_entry_and_a_key_in_place() -> None:
    entry = "Types: deb\nURIs: http://mirror/debian\nSuites: bookworm\nComponents: main\n"
    assert list(parse_deb822(f"{entry}Enabled: no\n")) == []
    (source,) = parse_deb822(f"{entry}Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n xyz\n")
    assert source == Source("http://mirror/debian", "bookworm", ("main",))


@given(st.lists(SOURCES, max_size=5))
def test_lines_are_read_as_they_are_written(sources: list[Source]) -> None:
    assert list(parse_lines("\n".join(source.line() for source in sources))) == sources


@given(SOURCES)
def test_deb822_is_read_as_it_is_written(source: Source) -> None:
    text = f"Types: deb\nURIs: {source.uri}\nSuites: {source.suite}\nComponents: {' '.join(source.components)}\n"
    assert list(parse_deb822(f"{text}Signed-By: {source.signed_by}\n")) == [source]


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    list(parse_lines(text))
    list(parse_deb822(text))
