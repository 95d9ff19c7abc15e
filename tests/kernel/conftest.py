"""What tests of the builder share: a toy tree, and one call that builds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from kdevops.kernel.artifact import Artifact
from kdevops.kernel.build import build
from kdevops.kernel.spec import BuildSpec, ConfigSpec, SourceSpec
from tests.fakelinux import make_tree

Builder = Callable[..., Artifact]


@pytest.fixture(autouse=True)
def _private_ccache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCACHE_DIR", str(tmp_path_factory.mktemp("ccache")))


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "linux")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def build_toy(cache: Path) -> Builder:
    """Builds a source (a path, or a SourceSpec) with the toy file system on, and whatever else the spec is given."""

    def run(source: Path | SourceSpec, *options: str, **rest: object) -> Artifact:
        where = SourceSpec("path", str(source)) if isinstance(source, Path) else source
        config = ConfigSpec(options=("CONFIG_TOYFS=y", *options))
        spec = BuildSpec(where, **{"config": config, **rest})  # type: ignore[arg-type]
        return asyncio.run(build(spec, cache=cache))

    return run
