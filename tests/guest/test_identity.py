"""Which kernel runs in a guest, and whether there is anything to install."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kdevops.errors import InfrastructureError
from kdevops.guest.identity import runs_as_given
from kdevops.guest.ssh import SshTarget
from kdevops.process import Completed

BUILD_ID = "0123456789abcdef"
NOTES = f"040000001400000003000000474e5500{BUILD_ID}"


@dataclass(frozen=True, slots=True)
class Answering(SshTarget):
    says: str = ""

    async def run(self, command: Sequence[str], **_: Any) -> Completed:
        return Completed(tuple(command), 0, self.says, "", 0.0)


def ask(*lines: str, build_id: str | None = BUILD_ID, words: Sequence[str] = ("oops=panic",)) -> bool:
    nowhere = Path("/nonexistent")
    says = "".join(f"{line}\n" for line in lines)
    target = Answering("lab-1", "192.0.2.1", 22, "root", nowhere, nowhere, says=says)
    return asyncio.run(runs_as_given(target, build_id, "6.1.0", words, timeout=1))


def test_a_machine_that_was_started_with_the_kernel_is_left_alone() -> None:
    assert ask(NOTES, "console=ttyS0 oops=panic quiet", "6.1.0")
    assert ask("00", "oops=panic", "6.1.0", build_id=None)


def test_another_kernel_is_replaced_and_a_boot_loader_is_the_role_s_affair() -> None:
    assert not ask("00ff", "oops=panic", "6.1.0")
    assert not ask(NOTES, "oops=panic", "6.1.0", "loader")
    assert not ask("00", "oops=panic", "6.1.1", build_id=None)


def test_a_kernel_without_its_parameters_is_told_of_where_nobody_can_give_them() -> None:
    with pytest.raises(InfrastructureError, match=r"runs its kernel without “kunit.enable=1”") as caught:
        ask(NOTES, "oops=panicky oops=panic", "6.1.0", words=("oops=panic", "kunit.enable=1"))
    assert caught.value.hint


@pytest.mark.parametrize("said", ["", "x", "\n\n\n\n\n\n"])
def test_rubbish_is_another_kernel(said: str) -> None:
    assert not ask(said)
