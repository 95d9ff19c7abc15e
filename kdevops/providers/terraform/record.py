"""The record of a lab's machines in a cloud, so that most queries need not ask the cloud."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from kdevops.errors import InfrastructureError
from kdevops.files import write_atomic

_NAME = "terraform.json"


class PlaceRecord(BaseModel):
    """A machine in the module's outputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    host: str
    port: int
    identity: str
    disks: tuple[str, ...]
    reset: tuple[str, ...]
    state: tuple[str, ...]
    console: tuple[str, ...]


class Record(BaseModel):
    """`complete` is False until everything exists. `created` is when the creation of the first machine began."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    lab: str
    created: datetime
    expires: datetime
    tool: str
    origin: str
    """The cloud, or the directory of the user's module."""
    where: str
    nodes: tuple[str, ...]
    allowed: tuple[str, ...]
    digest: str
    complete: bool = False
    places: dict[str, PlaceRecord] = {}

    @property
    def overdue(self) -> bool:
        """Whether the machines should be gone."""
        return now() >= self.expires


def now() -> datetime:
    """The time in UTC, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def path_of(directory: Path) -> Path:
    """The path of the record of the lab in `directory`."""
    return directory / _NAME


def load(directory: Path) -> Record | None:
    """The record of the lab in `directory`; None if no creation began. Raises InfrastructureError for a broken one."""
    path = path_of(directory)
    try:
        return Record.model_validate_json(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise InfrastructureError(
            f"{path} cannot be read, so the lab's machines are unknown",
            hint="run terraform state list in the directory terraform beside it",
        ) from error


def save(directory: Path, record: Record) -> None:
    """Store it atomically."""
    write_atomic(path_of(directory), record.model_dump_json(indent=1) + "\n", mode=0o600)


def forget(directory: Path) -> None:
    """Remove the record: there are no machines any longer."""
    path_of(directory).unlink(missing_ok=True)


def age(record: Record) -> str:
    """ "made 3 h ago, to be gone by 2026-11-22 15:24 UTC (in 21 h)", or that they are overdue."""
    made = f"made {_span(now() - record.created)} ago"
    by = f"{record.expires:%Y-%m-%d %H:%M} UTC"
    if record.overdue:
        return f"{made}, OVERDUE since {by}: kdevops down destroys them"
    return f"{made}, to be gone by {by} (in {_span(record.expires - now())})"


def _span(span: timedelta) -> str:
    minutes = max(0, int(span.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
