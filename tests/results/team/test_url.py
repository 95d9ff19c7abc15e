"""No secret of a URL is ever shown."""

from __future__ import annotations

import contextlib
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import KdevopsError, UserError
from kdevops.results.store import Store
from kdevops.results.team.url import parsed
from tests.support.postgresql import GUARDED, Cluster, name_of

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://me:{SECRET}@host/db", "postgresql://me:***@host/db"),
        (f"postgres://me:{SECRET}@host:5433/db", "postgresql://me:***@host:5433/db"),
        (f"postgresql+psycopg:///db?host=/run&password={SECRET}", "postgresql:///db?host=%2Frun"),
        (f"postgresql://me:a/{SECRET}@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert str(parsed(url)) == shown
    assert SECRET not in repr(parsed(url))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///x.db", "a URL of sqlite"),
        (f"mysql://me:{SECRET}@host/db", "a URL of mysql"),
        ("/some/file", "not a URL"),
        (f"postgresql://me:{SECRET}@host:port/db", "not a URL"),
        (f"postgresql://me:{SECRET}\0@host/db", "cannot be"),
    ],
)
def test_what_is_no_url_is_refused_without_showing_it(url: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        parsed(url)
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + str(caught.value.hint)


@given(st.one_of(st.text(), st.text().map(lambda text: f"postgresql://{text}")))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    with contextlib.suppress(UserError):
        assert str(parsed(text)).startswith("postgresql:")


def test_a_wrong_password_is_told_and_not_shown(
    postgres: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = name_of(postgres.fresh())
    postgres.sql("postgres", f"DROP ROLE IF EXISTS {GUARDED}")
    postgres.sql("postgres", f"CREATE ROLE {GUARDED} LOGIN SUPERUSER PASSWORD 'right'")
    wrong = postgres.url(name, f"{GUARDED}:{SECRET}")
    monkeypatch.setenv("KDEVOPS_STORE", wrong)
    with pytest.raises(KdevopsError, match="password authentication failed") as caught:
        Store(tmp_path)
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + str(caught.value.hint)
    monkeypatch.setenv("KDEVOPS_STORE", postgres.url(name, GUARDED))
    with pytest.raises(KdevopsError, match="no password supplied"):
        Store(tmp_path)
    monkeypatch.setenv("PGPASSWORD", "right")
    with Store(tmp_path) as store:
        assert store.runs() == ()
    monkeypatch.delenv("PGPASSWORD")
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:{GUARDED}:right\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    with Store(tmp_path) as store:
        assert store.runs() == ()
