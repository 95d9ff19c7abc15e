"""What clouds print when they are asked whether a machine is there."""

from __future__ import annotations

import pytest

from kdevops.providers.machines import is_running


@pytest.mark.parametrize("printed", ["running", "RUNNING\n", " Running", "ACTIVE\n", "active"])
def test_machine_is_there(printed: str) -> None:
    assert is_running(printed)


@pytest.mark.parametrize(
    "printed", ["", "\n", "None", "not running", "SHUTOFF", "TERMINATED", "inactive", "deallocated"]
)
def test_machine_is_not_there(printed: str) -> None:
    assert not is_running(printed)
