"""A kernel's last words when it ends on request."""

import pytest

from kdevops.triage.farewell import find_farewell


@pytest.mark.parametrize(
    ("line", "farewell"),
    [
        ("[    9.876543] reboot: System halted", "reboot: System halted"),
        ("[    9.876543][    T1] reboot: Power down", "reboot: Power down"),
        ("[    9.876543] reboot: Restarting system with command 'x'", "reboot: Restarting system"),
        ("2026-11-21T00:31:02.123Z [    9.876543] sysrq: Resetting", "sysrq: Resetting"),
        (
            "[    9.876543] reboot: Power off not available: System halted instead",
            "reboot: Power off not available: System halted instead",
        ),
        ("[    9.876543] a test: reboot: System halted", ""),
        ("[    9.876543] reboot: Power downright", ""),
        ("[    9.876543] sysrq: Trigger a crash", ""),
    ],
)
def test_what_is_a_farewell(line: str, farewell: str) -> None:
    assert find_farewell(["[    1.000000] hello", line, "[   10.000000] more"]) == farewell


def test_the_last_one_counts() -> None:
    assert find_farewell(["reboot: Restarting system", "reboot: System halted"]) == "reboot: System halted"
