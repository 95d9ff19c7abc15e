"""What holds a lab, and what to do about it."""

from pathlib import Path

import pytest

from kdevops.errors import UserError
from kdevops.run.lock import lab_lock


def test_who_holds_a_lab_is_named_and_what_makes_another_lab(tmp_path: Path) -> None:
    with (
        lab_lock(tmp_path, "x", "run"),
        pytest.raises(UserError, match=r"lab x is in use by `kdevops run`, process \d+") as caught,
        lab_lock(tmp_path, "x", "up"),
    ):
        pass
    assert "another `name:`" in (caught.value.hint or ""), "the file's own name does not count"
