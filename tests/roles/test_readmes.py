"""Each role has a README that says what its meta/ says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
ROLES = sorted(path for path in (CHECKOUT / "roles").iterdir() if path.is_dir())


def test_all_are_current() -> None:
    script = [sys.executable, CHECKOUT / "scripts/role-readmes", "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_every_option_and_every_default_is_told(role: Path) -> None:
    """The table of defaults and the specification name the same variables."""
    spec = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]
    path = role / "defaults/main.yml"
    defaults = set(yaml.safe_load(path.read_text()) if path.is_file() else {})
    options = spec.get("options", {})
    text = (role / "README.md").read_text()
    assert {name for name in options if f"| `{name}` |" not in text} == set()
    undescribed = {"bootlinux_see"}  # for tests
    assert defaults - undescribed <= set(options)
