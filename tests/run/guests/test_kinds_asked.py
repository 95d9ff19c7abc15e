"""Which kind of provider a lab has is asked of the table of kinds, and of nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kdevops
from kdevops.lab.model import PROVIDERS
from kdevops.run.guests.kinds import KINDS

PACKAGE = Path(kdevops.__file__).parent
OWN = {PACKAGE / "run/guests" / f"{name}.py" for name in ("kinds", "machines", *KINDS)}
"""The files of the kinds; what two of them share is in machines.py."""
CLASSES = {
    *(model.__name__ for model in PROVIDERS.values()),
    *("QemuProvider", "VagrantProvider", "RemoteProvider", "HostMachines", "TerraformMachines"),
    *("QemuKind", "VagrantKind", "MachinesKind", "HostsKind", "TerraformKind"),
}


def of_a_provider(node: ast.AST) -> bool:
    """`provider.type`, `lab.provider.type`, `type(lab.provider)`."""
    match node:
        case ast.Attribute(attr="type", value=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name.endswith("provider")
        case ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=name) | ast.Attribute(attr=name)]):
            return name.endswith("provider")
    return False


def choices(source: str, *, may_narrow: bool = False) -> Iterator[int]:
    """The lines that choose by the kind of a provider; `may_narrow`: it may be said which kind it surely is."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, classes]):
                chosen = any(getattr(each, "id", getattr(each, "attr", "")) in CLASSES for each in ast.walk(classes))
            case ast.Call(func=ast.Attribute(attr="provider_as")):
                chosen = not may_narrow
            case ast.Call(func=ast.Attribute(attr="get" | "pop" | "setdefault"), args=[key, *_]):
                chosen = of_a_provider(key)
            case ast.Compare(left=left, comparators=others):
                chosen = any(map(of_a_provider, (left, *others)))
            case ast.Subscript(slice=key):
                chosen = of_a_provider(key)
            case ast.Match(subject=subject):
                chosen = of_a_provider(subject)
            case ast.MatchClass(cls=ast.Name(id=name) | ast.Attribute(attr=name)):
                chosen = name in CLASSES
            case _:
                continue
        if chosen:
            yield getattr(node, "lineno", 0)


def test_nothing_but_the_kinds_chooses_by_the_kind_of_a_provider() -> None:
    """Not so in lab/, whose validators are about the file; the rooms of the providers are given labs of their kind alone."""
    files = [path for path in PACKAGE.rglob("*.py") if path not in OWN and not path.is_relative_to(PACKAGE / "lab")]
    assert len(files) > 200
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in files
        for line in choices(path.read_text(), may_narrow=path.is_relative_to(PACKAGE / "providers"))
    ]
    assert not found, "ask kdevops.run.guests.kinds.kind_of instead"


@pytest.mark.parametrize(
    "line",
    [
        "isinstance(lab.provider, Vagrant)",
        "isinstance(lab.provider, Terraform | Hosts)",
        "isinstance(each, (model.Qemu, str))",
        "isinstance(provider, RemoteProvider)",
        "lab.provider_as(Vagrant)",
        "lab.provider.type == 'qemu'",
        "'qemu' != provider.type",
        "compare.provider.type in {'terraform', 'hosts'}",
        "type(lab.provider) is Qemu",
        "{'qemu': 1}[lab.provider.type]",
        "{'qemu': 1}.get(lab.provider.type, 2)",
        "match lab.provider:\n    case Vagrant(backend='libvirt'):\n        pass",
        "match lab.provider.type:\n    case 'qemu':\n        pass",
    ],
)
def test_each_way_to_choose_is_seen(line: str) -> None:
    assert list(choices(line))


@pytest.mark.parametrize(
    "line", ["isinstance(suite, ChunkSuite)", "f'provider {lab.provider.type}'", "driver == 'qemu'", "step.type == 'x'"]
)
def test_what_chooses_by_something_else_is_let_be(line: str) -> None:
    assert not list(choices(line))
