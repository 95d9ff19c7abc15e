"""The kinds of a kernel's source are said once: whoever else knows one, knows all of them."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

from kdevops.errors import UserError
from kdevops.kernel.source import open_source
from kdevops.kernel.spec import SourceSpec
from kdevops.kernel.toolchain import Architecture
from kdevops.lab import override
from kdevops.lab.model import Source
from kdevops.progress import silent
from kdevops.run.kernel_spec import spec_of
from kdevops.sources import SOURCES, SourceKind, with_source

PACKAGE = Path(__file__).parents[1] / "kdevops"
ARCHITECTURE = Architecture.__new__(Architecture)


def test_the_table_the_type_and_the_lab_file_have_the_same_kinds() -> None:
    assert tuple(SOURCES) == get_args(SourceKind)
    more = {field for facts in SOURCES.values() for field in facts.goes_with}
    assert set(Source.model_fields) == set(SOURCES) | more
    assert all(kind in (Source.__doc__ or "") for kind in SOURCES)
    assert {member[0] for member in override._KERNEL_SOURCES} == set(SOURCES)


@pytest.mark.parametrize("kind", SOURCES)
def test_each_kind_can_be_opened_unless_it_is_built(kind: SourceKind, tmp_path: Path) -> None:
    spec = SourceSpec(kind, str(tmp_path), sha256="0" * 64)
    assert spec.is_built == SOURCES[kind].is_built
    if spec.is_built:
        with pytest.raises(UserError, match="has no source"):
            open_source(spec, ARCHITECTURE, tmp_path, silent)
    else:
        assert open_source(spec, ARCHITECTURE, tmp_path, silent)


@pytest.mark.parametrize("kind", SOURCES)
def test_each_kind_of_a_lab_file_comes_to_the_builder(kind: SourceKind) -> None:
    from kdevops.lab.model import Kernel

    kernel = Kernel.model_validate({"source": {kind: "/x"}})
    assert spec_of(kernel).source == SourceSpec(kind, "/x")


def test_a_message_names_those_that_have_a_source() -> None:
    assert with_source() == "path, tarball, git or package"


def test_nobody_else_lists_the_kinds() -> None:
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            items = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", ())
            words = {it.value for it in items if isinstance(it, ast.Constant)}
            if len(words & {"tarball", "package", "prebuilt"}) > 1:
                found.append(path.name)
    assert set(found) == {"sources.py"}
