"""The `verdict` section of lab.yaml: how the results of a run are judged. Nothing in it changes how a test ends."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from kdevops.lab.fields import Model, as_tuple

Glob = Annotated[str, Field(min_length=1, max_length=500)]


class AllowedSkip(Model):
    """Skips that lose no coverage: globs of the test's name and of the reason that it gave; both must match."""

    test: Glob = Field(
        default="*", description="glob of suite/profile/name, or of the end of it, as for `kdevops run --only`"
    )
    reason: Glob = Field(default="*", description="glob of the whole reason of the skip, such as '*not supported*'")

    @model_validator(mode="after")
    def _names_something(self) -> AllowedSkip:
        if not self.model_fields_set & {"test", "reason"}:
            raise ValueError("needs a test, a reason, or both")
        return self

    def __str__(self) -> str:
        given = {"test": self.test, "reason": self.reason}
        return ", ".join(f"{name} {glob}" for name, glob in given.items() if glob != "*") or "every skip"


def _as_mapping(value: object) -> object:
    if not isinstance(value, str | dict | AllowedSkip):
        raise ValueError("a glob of a test's name, or {reason: GLOB, test: GLOB}, is needed")  # noqa: TRY004 - pydantic's
    return {"test": value} if isinstance(value, str) else value


AllowedSkips = Annotated[
    tuple[Annotated[AllowedSkip, BeforeValidator(_as_mapping, json_schema_input_type=str | AllowedSkip)], ...],
    BeforeValidator(as_tuple, json_schema_input_type=str | list[str | AllowedSkip]),
]


class VerdictRules(Model):
    """How the results of a run are judged."""

    allow_skips: AllowedSkips = Field(
        default=(),
        description="tests that may skip although they ran before: globs of names, or {reason: GLOB, test: GLOB}",
    )
