from pathlib import Path

import pytest

from kdevops.errors import (
    BootError,
    CommandError,
    CommandTimeout,
    ExitCode,
    InfrastructureError,
    KdevopsError,
    LostGuestError,
    UserError,
)


def test_the_contract_with_scripts() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "REGRESSION": 1,
        "USER": 2,
        "INFRASTRUCTURE": 3,
        "INCOMPLETE": 4,
    }


@pytest.mark.parametrize("error", [InfrastructureError, BootError, LostGuestError])
def test_trouble_of_the_machine_is_never_the_users(error: type[KdevopsError]) -> None:
    assert error("x").exit_code is ExitCode.INFRASTRUCTURE
    assert not issubclass(error, UserError)


def test_an_error_carries_what_a_person_needs() -> None:
    error = UserError("what", hint="do", log=Path("/log"))
    assert (str(error), error.message, error.hint, error.log, error.exit_code) == (
        "what",
        "what",
        "do",
        Path("/log"),
        2,
    )


def test_a_command_error_carries_the_command() -> None:
    error = CommandError("x", argv=("make",), returncode=2, output="said")
    assert (error.argv, error.returncode, error.output, error.exit_code) == (("make",), 2, "said", 3)


def test_a_command_that_ran_out_of_time_is_told_from_others_by_its_type() -> None:
    error = CommandTimeout("x", argv=("make",), seconds=7.0)
    assert isinstance(error, CommandError)
    assert (error.returncode, error.seconds, error.exit_code) == (None, 7.0, 3)
