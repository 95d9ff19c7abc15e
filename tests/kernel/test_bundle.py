from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kdevops.kernel.__main__ import main
from kdevops.kernel.bundle import write_bundle
from kdevops.kernel.spec import BuildSpec, ConfigSpec, SourceSpec


def spec_for(tree: Path, folder: Path, *optional: str) -> Path:
    spec = BuildSpec(SourceSpec("path", str(tree)), config=ConfigSpec(optional=optional))
    (folder / "spec.json").write_text(spec.to_json())
    return folder / "spec.json"


def test_the_bundle_builds_with_nothing_but_python(toy: Path, tmp_path: Path, cache: Path) -> None:
    bundle = tmp_path / "kernel.pyz"
    write_bundle(bundle)
    first = bundle.read_bytes()
    write_bundle(bundle)
    assert bundle.read_bytes() == first
    argv = [sys.executable, "-IS", bundle, "build", "--spec", spec_for(toy, tmp_path), "--cache", cache, "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd="/")
    assert json.loads(done.stdout)["release"] == "6.1.0-toy"
    assert "kernel build 100%" in done.stderr


def test_the_command_line(toy: Path, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = spec_for(toy, tmp_path, "CONFIG_TOY_CHILD=y")
    assert main(["build", "--spec", str(spec), "--cache", str(cache)]) == 0
    told = capsys.readouterr()
    assert (Path(told.out.strip()) / "artifact.json").is_file()
    assert "warning: CONFIG_TOY_CHILD" in told.err


def test_find_compiles_nothing(toy: Path, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--spec", str(spec_for(toy, tmp_path)), "--cache", str(cache)]
    assert main(["find", *words]) == 0
    assert capsys.readouterr().out == ""
    assert not (cache / "builds").exists()
    assert main(["build", *words]) == 0
    built = capsys.readouterr().out
    assert main(["find", *words]) == 0
    assert capsys.readouterr().out == built


def test_errors_are_prose_and_exit_codes(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for spec, said in [
        (tmp_path / "none.json", "cannot read the build spec"),
        (spec_for(tmp_path, tmp_path), "hint:|not a kernel"),
    ]:
        assert main(["build", "--spec", str(spec), "--cache", str(cache)]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith("error: ")
        assert any(word in told.err for word in said.split("|"))
