"""A suite of an installed package, in real guests: its files are brought there, its tests run, and its end is the run's."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import yaml

from tests.e2e.conftest import REPOSITORY, Kdevops
from tests.support.outside_suite import install

_FACTS = 'paths = {("script",): "file"}\n    caches = ("toy",)'
_SCRIPT = """\
echo "$1 on $(uname -r)"
[ -b /dev/vda ] || exit 9
[ "$1" != panic ] || { echo c >/proc/sysrq-trigger; sleep 60; }
exit "$2"
"""


def test_a_suite_from_outside_runs_in_guests(kdevops: Kdevops, write_lab: Callable[..., Path], tmp_path: Path) -> None:
    site = install(tmp_path / "site", facts=_FACTS)
    (tmp_path / "its.sh").write_text(_SCRIPT)
    path = write_lab({"any": "true"}, name="toys")
    lab = yaml.safe_load(path.read_text())
    lab["guests"]["count"] = 1
    lab["suites"]["toy"] = {"words": ["one", "two", "panic", "three"], "wrong": ["two"], "script": "its.sh"}
    path.write_text(yaml.safe_dump(lab))

    ours = replace(kdevops, environment={"PYTHONPATH": f"{site}{os.pathsep}{REPOSITORY}"})
    ran = ours("run", path, "toy/*", "--json")
    assert ran.code == 1, ran.stderr[-4000:]
    assert ran.statuses() == {"one": "pass", "two": "fail", "panic": "crash", "three": "pass"}
    assert ran.data["suites_from"] == {"toy": "toy-suite 1.0"}
    printed = (Path(ran.data["directory"]) / "toy/default/two.log").read_text()
    assert printed.startswith(f"two on {ran.data['kernel']}"), printed
    assert "suite toy from toy-suite 1.0\n" in ours("results", "1").stdout
