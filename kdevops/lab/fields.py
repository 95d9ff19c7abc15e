"""Field types of lab.yaml (sizes, names, lists of words) and the base class of its models."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Union

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(|[KMGT])(i?B)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhdw]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
MAX_SIZE = 1 << 60
"""Bytes; near the limits of QEMU and the file systems."""
MAX_NAME = 32
"""Characters."""
_NAME = re.compile(rf"[a-z]([a-z0-9-]{{0,{MAX_NAME - 2}}}[a-z0-9])?")


def parse_size(value: object) -> int:
    """Bytes from a number or text such as "4GiB" or "512M"; units are powers of 1024, as in QEMU."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else value
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= MAX_SIZE:
        raise ValueError("must be a size, such as 512MiB or 4GiB")
    return size


def format_size(size: int) -> int | str:
    """The inverse of `parse_size`: text in MiB, GiB or TiB if that is a whole number, else the bytes."""
    for unit in "TGM":
        if size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}iB"
    return size


def parse_duration(value: object) -> object:
    """Seconds from text such as "90s", "5m" or "1h", with the units of fstests' SOAK_DURATION; other types unchanged."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value)
    if not match:
        raise ValueError("must be a duration, such as 90s, 5m or 1h")
    return float(match[1]) * _SECONDS[match[2]]


def _at_least(least: int, value: object) -> int:
    """A size of at least `least` MiB; the error for a smaller plain number suggests the unit that was meant."""
    size = parse_size(value)
    if size >= least << 20:
        return size
    unit = "MiB" if size >= 64 else "GiB"
    meant = f" (a plain number is bytes; did you mean {size}{unit}?)" if not isinstance(value, str) else ""
    raise ValueError(f"must be at least {least}MiB{meant}")


def _check_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            "a name has lower-case letters, digits and dashes, begins with a letter, and has at most "
            f"{MAX_NAME} characters"
        )
    return value


def _check_sha256(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError("a sha256 is 64 hexadecimal digits")
    return value


def as_tuple(value: object) -> object:
    """For a validator of a tuple: one text, or a list, as a tuple; other values unchanged."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Size = Annotated[int, BeforeValidator(parse_size, json_schema_input_type=int | str)]
Duration = Annotated[float, BeforeValidator(parse_duration, json_schema_input_type=float | str)]
"""Seconds."""
Memory = Annotated[int, BeforeValidator(partial(_at_least, 64), json_schema_input_type=int | str)]
"""Bytes; a kernel does not boot with less."""
DiskSize = Annotated[int, BeforeValidator(partial(_at_least, 1), json_schema_input_type=int | str)]
"""Bytes."""
Name = Annotated[str, AfterValidator(_check_name)]
Sha256 = Annotated[str, AfterValidator(_check_sha256)]


def one_or_more(item: Any) -> BeforeValidator:
    """For a tuple of `item`, a text type: accepts one text for a list of one."""
    return BeforeValidator(as_tuple, json_schema_input_type=Union[item, list[item]])  # noqa: UP007 - made of a variable


Strings = Annotated[tuple[str, ...], one_or_more(str)]
Paths = Annotated[tuple[Path, ...], one_or_more(str)]
Ref = Annotated[
    str,
    Field(
        pattern=r"^[^-\s]\S*$",
        description="a branch, tag or commit; must not begin with a dash, which git takes for an option",
    ),
]
Repository = Annotated[
    str,
    Field(
        pattern=r"^[^-]",
        description="a URL, or the path of a repository; must not begin with a dash, which git takes for an option",
    ),
]
Symbol = Annotated[
    str,
    Field(
        pattern=r"^(CONFIG_)?[A-Za-z0-9_]+=(y|m|n|-?[0-9]+|0x[0-9a-fA-F]+|\"[^\"\n]*\")$",
        description="a kernel option as in a .config, such as CONFIG_KUNIT=y",
    ),
]
"""One kernel option as in a .config: `CONFIG_KUNIT=y`."""
Symbols = Annotated[tuple[Symbol, ...], one_or_more(Symbol)]


class Model(BaseModel):
    """Base class of every part of the lab file: frozen, refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
