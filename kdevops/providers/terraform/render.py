"""Terraform's input for a lab: a module, the same for all labs, and terraform.tfvars.json with the lab's values."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from kdevops.errors import UserError
from kdevops.files import digest_of, write_atomic
from kdevops.lab.cloud import facts_of
from kdevops.lab.clouds import FACTS, cloud_directory
from kdevops.lab.model import Lab
from kdevops.lab.terraform import Terraform
from kdevops.text import nearest_or_all

VARIABLES = frozenset(
    {
        "lab", "kdevops_nodes", "owner", "expires", "region", "zone", "instance_type", "architecture", "image",
        "root_size", "disks", "ssh_public_key", "allowed_cidrs", "spot",
    }
)  # fmt: skip
OUTPUTS = frozenset(
    {
        "controller_ip_map", "ssh_ports", "identities", "disks", "console_commands", "reset_commands", "state_commands",
        "summary",
    }
)  # fmt: skip
"""The contract in terraform/README.md."""
VALUES = "terraform.tfvars.json"
INITIALISED = ".kdevops-initialised"
"""Records what the last `init` was for."""
_BACKEND = "backend.tf.json"
_COPIED = ".kdevops-files.json"
_GIB = 1 << 30
_MAX_FILES = 1000
_MAX_BYTES = 32 << 20
_NOT_COPIED = re.compile(
    r"\.tfstate(\..*)?$|\.tfvars(\.json)?$|^\.terraform\.tfstate\.lock\.info$|\.tftest\.(hcl|json)$|\.md$"
)
_NOT_ENTERED = {".terraform", ".git", "tests"}
_DECLARED = re.compile(r'^\s*(variable|output)\s+"([^"\n]+)"', re.MULTILINE)
_TEMPLATE = re.compile(r"[$%]\{")


def module_of(provider: Terraform) -> Path:
    """The directory of the lab's module."""
    return provider.module or cloud_directory(str(provider.cloud))


def values_of(
    lab: Lab, nodes: Iterable[str], *, expires: datetime, public_key: str, allowed: Sequence[str]
) -> dict[str, Any]:
    """All variables of the module, as JSON values. Raises UserError for a name that the cloud would reject."""
    provider = lab.provider_as(Terraform)
    check_name(lab.name, provider)
    if shared := sorted(VARIABLES & provider.variables.keys()):
        raise UserError(
            f"provider.variables.{shared[0]} is a variable of every module",
            hint="it has its own field in provider or guests; kdevops lab schema shows them",
        )
    return {
        **provider.variables,
        "lab": lab.name,
        "kdevops_nodes": sorted(nodes),
        "owner": provider.owner or _user(),
        "expires": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": provider.region or "",
        "zone": provider.zone or "",
        "instance_type": provider.instance_type or "",
        "architecture": provider.architecture or platform.machine(),
        "image": provider.image or "",
        "root_size": provider.root_size,
        "disks": [-(-disk.size // _GIB) for disk in lab.guests.disks for _ in range(disk.count)],
        "ssh_public_key": public_key,
        "allowed_cidrs": sorted(allowed),
        "spot": provider.spot,
    }


def check_name(name: str, provider: Terraform) -> None:
    """Raise UserError for a lab name that this cloud rejects; the lab file already excludes special characters."""
    refused = facts_of(provider.cloud).reserved.refused(name) if provider.cloud else ""
    if refused:
        raise UserError(
            f"{provider.cloud} reserves {refused} and refuses what is called {name}",
            hint="give the lab another name: --set name=NAME",
        )


def render(root: Path, provider: Terraform, values: Mapping[str, Any]) -> None:
    """Copy the module's files into `root`, remove outdated ones, and write the lab's values beside them.

    Raises UserError for a module that breaks the contract, and for variables that it does not have.
    """
    module = module_of(provider)
    files = _files(module)
    _check_contract(module, files, provider)
    contents: dict[str, tuple[bytes, int]] = {name: (path.read_bytes(), 0o644) for name, path in files.items()}
    for name in [each for each in contents if os.access(files[each], os.X_OK)]:
        contents[name] = contents[name][0], 0o755
    contents[VALUES] = (_json(values), 0o600)
    if provider.backend:
        contents[_BACKEND] = (_json({"terraform": {"backend": _literal(provider.backend)}}), 0o600)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    note = root / _COPIED
    before = json.loads(note.read_text()) if note.exists() else []
    write_atomic(note, json.dumps(sorted({*before, *contents})))  # first, so that unfinished copies are known
    for name in set(before) - contents.keys():
        (root / name).unlink(missing_ok=True)
    for name, (content, mode) in contents.items():
        path = root / name
        if not path.is_file() or path.read_bytes() != content:
            write_atomic(path, content, mode=mode)
    write_atomic(note, json.dumps(sorted(contents)))


def is_rendered(root: Path) -> bool:
    """Whether `root` has a configuration."""
    return (root / VALUES).is_file()


def digest_of_root(root: Path) -> str:
    """A hash of the configuration in `root`, without the values: what `init` depends on."""
    names = json.loads((root / _COPIED).read_text()) if (root / _COPIED).exists() else []
    hashes = {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in names if name != VALUES}
    return digest_of(hashes)


def digest_of_lab(provider: Terraform, values: Mapping[str, Any]) -> str:
    """A hash of everything that determines the machines."""
    files = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in _files(module_of(provider)).items()}
    return digest_of([files, dict(values), provider.backend])


def forget_backend(root: Path) -> None:
    """Remove the records of `init` once the backend is empty: the next backend may be another one."""
    shutil.rmtree(root / ".terraform", ignore_errors=True)
    (root / INITIALISED).unlink(missing_ok=True)


def _user() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # there is no user with this id
        name = str(os.getuid())
    return re.sub(r"[^A-Za-z0-9._@-]", "-", name)[:60] or "unknown"


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


def _literal(value: Any) -> Any:
    """The backend unchanged. Terraform takes its strings literally, OpenTofu may not, so templates are rejected."""
    strings = [value] if isinstance(value, str) else []
    if isinstance(value, dict):
        strings += list(value)
        for each in value.values():
            _literal(each)
    elif isinstance(value, list):
        for each in value:
            _literal(each)
    for text in strings:
        if _TEMPLATE.search(text):
            raise UserError(
                f"provider.backend has {text!r}, where the part in braces would be evaluated",
                hint="write the value itself; a backend reads its secrets from its own environment variables",
            )
    return value


def _files(module: Path) -> dict[str, Path]:
    """The files of a module that are copied, by name."""
    if not module.is_dir():
        raise UserError(f"{module} is not a directory with a Terraform module", hint="correct provider.module")
    found: dict[str, Path] = {}
    size = 0
    for name, path in _walk(module, ""):
        size += path.stat().st_size
        found[name] = path
        if len(found) > _MAX_FILES or size > _MAX_BYTES:
            raise UserError(
                f"{module} has more than {_MAX_FILES} files or {_MAX_BYTES >> 20} MiB, so it is not a module",
                hint="set provider.module to the directory with its main.tf",
            )
    if not any(name.endswith((".tf", ".tf.json")) and "/" not in name for name in found):
        raise UserError(f"there are no .tf files in {module}", hint="name the directory with main.tf")
    return found


def _walk(directory: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(directory.iterdir()):
        if path.is_dir():
            if path.name not in _NOT_ENTERED:
                yield from _walk(path, f"{prefix}{path.name}/")
        elif path.is_file() and path.name != FACTS and not _NOT_COPIED.search(path.name):
            yield f"{prefix}{path.name}", path


def _check_contract(module: Path, files: Mapping[str, Path], provider: Terraform) -> None:
    declared: dict[str, set[str]] = {"variable": set(), "output": set()}
    for name, path in files.items():
        if "/" in name:
            continue
        if name.endswith(".tf"):
            for kind, label in _DECLARED.findall(path.read_text(errors="replace")):
                declared[kind].add(label)
        elif name.endswith(".tf.json"):
            _declared_in_json(path, declared)
    for kind, wanted in (("variable", VARIABLES), ("output", OUTPUTS)):
        if missing := sorted(wanted - declared[kind]):
            raise UserError(
                f"the module {module} has no {kind} {', '.join(missing)}",
                hint="terraform/README.md of kdevops describes the contract for modules",
            )
    for name in provider.variables:
        if name not in declared["variable"]:
            raise UserError(
                f"provider.variables.{name}: the module has no such variable"
                f"{nearest_or_all(name, declared['variable'] - VARIABLES)}"
            )


def _declared_in_json(path: Path, declared: Mapping[str, set[str]]) -> None:
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from None
    for kind, labels in declared.items():
        part = content.get(kind) if isinstance(content, dict) else None
        if isinstance(part, dict):
            labels.update(part)
