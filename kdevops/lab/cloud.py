"""What the front end knows of a cloud: `terraform/CLOUD/cloud.yaml`, beside the module."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from kdevops.errors import UserError
from kdevops.lab.clouds import FACTS, cloud_directory, cloud_names
from kdevops.lab.complaint import Complaint
from kdevops.lab.document import SourceSpan, parse
from kdevops.lab.explain import explain
from kdevops.lab.fields import Model, Strings

_HINT = "terraform/README.md says what the file holds"


def _check_below_home(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or value.startswith("~"):
        raise ValueError("a path below the home directory is needed, such as .aws/credentials")
    return value


Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="the name of an environment variable")]


class CredentialFile(Model):
    """A file that may hold credentials, below the home directory; `variable` names another one."""

    path: Annotated[str, AfterValidator(_check_below_home)]
    variable: Variable | None = None


class Credentials(Model):
    """Where the cloud's Terraform provider looks for credentials: one of these places is enough."""

    variables: tuple[Variable, ...] = Field(min_length=1)
    files: tuple[CredentialFile, ...] = ()
    missing: str = Field(description="the name of the row in errors that says what to do without credentials")


class Profile(Model):
    """Variables by which the cloud's command line and its Terraform provider choose a profile: they may differ.

    The first that is set counts, `default` where none is.
    """

    default: str
    command: tuple[Variable, ...] = Field(min_length=1)
    terraform: tuple[Variable, ...] = Field(min_length=1)
    mend: str


class Reserved(Model):
    """Words that the cloud refuses in the names of machines."""

    anywhere: tuple[str, ...] = ()
    beginning: tuple[str, ...] = ()

    def refused(self, name: str) -> str:
        """The word in `name` that is refused, or ""."""
        inside = next((word for word in self.anywhere if word in name), "")
        return inside or next((word for word in self.beginning if name.startswith(word)), "")


class Size(Model):
    """An attribute of a machine or a disk in a plan, or `block.attribute`: text, or a number if it has a `unit`."""

    attribute: str = Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")
    unit: str = Field(default="", pattern=r"^[A-Za-z]{0,12}$")


class CloudFacts(Model):
    """The facts of one cloud."""

    title: str = Field(min_length=1, description="the cloud's own name, for people")
    docs: str = Field(pattern=r"^docs/[a-z0-9-]+\.md(#[a-z0-9-]+)?$", description="the page, or its section, about it")
    command: str = Field(pattern=r"^[a-z][a-z0-9._-]*$", description="the cloud's command line tool, as PATH has it")
    install: str = Field(pattern=r"^https://", description="the address that tells how to install the command")
    credentials: Credentials
    profile: Profile | None = None
    reserved: Reserved = Reserved()
    absent: Strings = Field(
        min_length=1, description="regular expressions: how the command says that there is no such machine"
    )
    running: Strings = Field(min_length=1, description="what the command prints of a machine that runs, in lower case")
    sizes: tuple[Size, ...] = Field(
        min_length=1, description="what a plan says of the size of machines and disks, the most informative first"
    )
    errors: tuple[Complaint, ...] = ()

    @field_validator("absent")
    @classmethod
    def _are_expressions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                re.compile(each)
            except re.error as error:
                raise ValueError(f"{each!r} is not a regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _row_is_there(self) -> CloudFacts:
        names = [row.name for row in self.errors]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"errors has two rows {twice}")
        if self.credentials.missing not in names:
            raise ValueError(f"credentials.missing names {self.credentials.missing}, and errors has no such row")
        return self

    @property
    def without_credentials(self) -> Complaint:
        """What is said to somebody who has no credentials."""
        return next(row for row in self.errors if row.name == self.credentials.missing)


@cache
def facts_of(cloud: str) -> CloudFacts:
    """The facts of a cloud. Raises UserError with a line for each problem: file, line, field, what would be right."""
    path = cloud_directory(cloud) / FACTS
    return read_facts(path)


def read_facts(path: Path) -> CloudFacts:
    """The facts in a file. Raises UserError as `facts_of` does."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}", hint=_HINT) from None
    document = parse(text, lambda line, column: SourceSpan(str(path), line, column, path.parent))
    problems = list(document.problems)
    if not problems:
        try:
            return CloudFacts.model_validate_json(json.dumps(document.value), strict=True)
        except ValidationError as error:
            problems = explain(error, document, CloudFacts.model_json_schema())
    raise UserError("\n".join(map(str, sorted(problems))), hint=_HINT)


def all_facts() -> dict[str, CloudFacts]:
    """The facts of every cloud, by its name."""
    return {name: facts_of(name) for name in cloud_names()}
