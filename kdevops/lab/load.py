"""Load lab.yaml as a Lab, or report all problems with file, line and field."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from kdevops.errors import UserError
from kdevops.lab.document import MAX_BYTES, Document, Loc, Problem, SourceSpan, parse
from kdevops.lab.explain import explain
from kdevops.lab.files import resolve_paths
from kdevops.lab.joined import lab_model, more_suites, why_not
from kdevops.lab.model import Lab, lab_schema
from kdevops.lab.override import apply
from kdevops.lab.suites import named_in
from kdevops.paths import data_dir

_PIPED = {"dev", "proc"}
"""Top directories of /dev/stdin and of the shell's <(…)."""
MAX_SHOWN = 20
"""Problems shown at once; the rest are counted."""


@dataclass(frozen=True, slots=True)
class LoadedLab:
    """A valid lab: every path in it is absolute and (unless checks were off) exists.

    `path` is the lab file, absolute. `digest` is the sha256 (hex) of the effective lab, with
    overrides and defaults; `places` says where its fields were written.
    """

    lab: Lab
    path: Path
    digest: str
    places: Mapping[Loc, SourceSpan] = field(default_factory=dict, compare=False, repr=False)

    def place(self, loc: Loc) -> SourceSpan:
        """Where a field was written, or the nearest value around it; the top of the file for a lab not read from one."""
        places = {(): SourceSpan(str(self.path), 1, 1, self.path.parent), **self.places}
        return Document(None, places).place(loc)

    @property
    def baseline(self) -> Path:
        """The directory of stored baselines.

        The one named in the lab, else `baselines/` beside the lab file, or the shipped one for a shipped lab.
        """
        if self.lab.baseline:
            return self.lab.baseline
        return data_dir("baselines") if self.path.parent == data_dir("labs") else self.path.parent / "baselines"


def load_lab(path: Path, overrides: Iterable[str] = (), *, check_files: bool = True) -> LoadedLab:
    """Read the lab file at `path`, with `overrides` ("guests.count=1") put over it in their order.

    `check_files=False` is for what only looks at guests or stops them: files and suites that the lab names may be gone.

    Raises UserError with one line per problem: `labs/x.yaml:12:3: guests.cpu: no such field; did you mean cpus?`
    """
    absolute = path.absolute()
    document = parse(_read(path), lambda line, column: SourceSpan(str(path), line, column, absolute.parent))
    for assignment in (*_arguments(document.value, os.environ), *overrides):
        apply(document, assignment)
    gone = resolve_paths(document)
    more = more_suites(document.value)
    lost = {name: why for name in more if (why := why_not(name))}
    problems = [*document.problems, *(gone if check_files else ())]
    if check_files:
        problems += [Problem(document.place(("suites", name)), ("suites", name), why) for name, why in lost.items()]
    else:
        _leave_out(document, lost)
    model = lab_model(tuple(name for name in more if name not in lost))
    try:
        lab = _validate(document, model)
    except ValidationError as error:
        told = {problem.loc for problem in problems}
        problems += [each for each in explain(error, document, lab_schema(model)) if each.loc not in told]
    else:
        if not problems:
            return LoadedLab(lab, absolute, _digest(lab), document.places)
    raise refused(problems)


def refused(
    problems: Iterable[Problem], hint: str | None = "kdevops lab schema lists all fields of a lab"
) -> UserError:
    """One error listing all problems of a lab, in file order."""
    lines = [str(problem) for problem in sorted(problems)]
    rest = [f"and {len(lines) - MAX_SHOWN} more problems"] if len(lines) > MAX_SHOWN else []
    return UserError("\n".join(lines[:MAX_SHOWN] + rest), hint=hint)


def _digest(lab: Lab) -> str:
    return hashlib.sha256(lab.model_dump_json().encode()).hexdigest()


def _arguments(value: object, environment: Mapping[str, str]) -> list[str]:
    """The `environment` of the lab's suites as overrides, so that it is recorded with its runs."""
    return [
        f"suites.{suite}.{field_name}.{found[1]}={json.dumps(text)}"
        for suite, section, kind in named_in(value)
        if isinstance(section, dict)
        for pattern, field_name in kind.environment.items()
        for name, text in sorted(environment.items())
        if (found := re.fullmatch(pattern, name, re.ASCII))
    ]


def _leave_out(document: Document, suites: Iterable[str]) -> None:
    """Drop these suites: commands that only inspect guests do not need them."""
    if isinstance(document.value, dict) and isinstance(said := document.value.get("suites"), dict):
        kept = {name: section for name, section in said.items() if name not in suites}
        document.value = {**document.value, "suites": kept}


def _validate(document: Document, model: type[Lab]) -> Lab:
    # As JSON, because strict mode then fits YAML: text may be a path, a list may be a tuple, "2" is not a number.
    return model.model_validate_json(json.dumps(document.value), strict=True)


def _check_kind(path: Path) -> None:
    """Refuse a FIFO: reading it would block until something writes to it. Raises UserError or OSError."""
    if path.is_fifo() and path.absolute().parts[1] not in _PIPED:
        raise UserError(f"{path}: cannot be read: it is not a regular file")


def _read(path: Path) -> str:
    try:
        _check_kind(path)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UserError(f"{path}: no such lab file", hint="create one with kdevops lab init") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_BYTES:
        raise UserError(f"{path}: larger than {MAX_BYTES >> 20} MiB: this is not a lab file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{line}: not UTF-8 text (byte 0x{data[error.start]:02x})") from None
