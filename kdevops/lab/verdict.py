"""The `verdict` section of lab.yaml: how the results of a run are judged. Nothing in it changes how a test ends."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from kdevops.lab.fields import Duration, Model, as_tuple

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


class Reruns(Model):
    """What it may cost to run unknown failures again, until it is clear what they are."""

    count: int = Field(default=1000, ge=0, le=1_000_000, description="most test results, on both kernels together")
    time: Duration = Field(default=1800.0, ge=0, description="most time, such as 30m")


def _as_reruns(value: object) -> object:
    """YAML's older and newer readers differ on what `off` and `on` are."""
    if value is None or value is False or value == "off":
        return None
    return {} if value is True or value == "on" else value


class VerdictRules(Model):
    """How the results of a run are judged."""

    alpha: float = Field(
        default=0.05,
        gt=0,
        le=0.5,
        description="accepted risk of a wrong decision: a regression that is none, a flake that is one",
    )
    smallest: float = Field(
        default=0.25,
        gt=0,
        lt=1,
        description="smallest difference of failure rates that matters: less is called a flake",
    )
    rerun: Annotated[
        Reruns | None,
        BeforeValidator(_as_reruns, json_schema_input_type=Reruns | Literal["on", "off"] | bool | None),
    ] = Field(
        default=Reruns(),
        description="run unknown failures again after `kdevops run`, to decide on them: on, off, or what it may cost",
    )
    probation: int = Field(
        default=5,
        ge=0,
        le=1000,
        description="passes in the baseline from which on its counts alone may call a failure a regression",
    )
    allow_skips: AllowedSkips = Field(
        default=(),
        description="tests that may skip although they ran before: globs of names, or {reason: GLOB, test: GLOB}",
    )
