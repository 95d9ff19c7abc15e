"""What a kind of provider adds to `kdevops doctor`: an option, and the checks it asks for. Nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdevops.lab.suites import OURS
from kdevops.paths import data_dir

if TYPE_CHECKING:
    from kdevops.doctor.checks import Check


@dataclass(frozen=True, slots=True)
class DoctorOption:
    """The option `--KIND [CHOICE]`. `default`: the choice if none is given; it need not be one of `choices`.

    `checks` runs the checks for a choice. Of `with_libvirt` choices, the packages of libvirt are needed, too.
    """

    choices: tuple[str, ...]
    default: str
    help: str
    checks: Callable[[str], Awaitable[list[Check]]]
    with_libvirt: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """The option of one kind, given with a choice."""

    option: DoctorOption
    choice: str

    @property
    def libvirt(self) -> bool:
        """Whether libvirt's packages are needed."""
        return self.choice in self.option.with_libvirt


def suites_with_tools() -> tuple[str, ...]:
    """Our suites whose role lists what builds them on a controller: NAME_build_commands in roles/NAME/vars."""
    roles = data_dir("roles")
    return tuple(
        name
        for name in OURS
        if any(f"{name}_build_commands:" in path.read_text() for path in (roles / name / "vars").glob("*.yml"))
    )
