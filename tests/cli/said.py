"""What a command line says, in this process."""

from __future__ import annotations

import pytest

from kdevops.__main__ import main


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What is printed where the exit code is `code`; of a mistake (2 and 3), what is said of it."""
    assert main(list(arguments)) == code
    captured = capsys.readouterr()
    return captured.err if code in {2, 3} else captured.out
