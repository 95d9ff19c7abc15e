"""Real guests, a real kernel: everything here goes through the command line, as its users do.

The kernel is built before the first test, images by whichever needs them first, into a cache that outlives the tests
(KDEVOPS_CACHE, default: the user's own); state is a new directory for each test, so that tests may run beside each other.
All tests share one kernel: the demo's, to which clients and servers of NFS and SMB are added.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.command_line import REPOSITORY, RUN_SECONDS, Kdevops, guests_of, wait_until
from tests.support.shared_lab import BUILD_SECONDS, DEMO, PROVOKE, shared_lab

__all__ = [
    "BUILD_SECONDS",
    "DEMO",
    "PROVOKE",
    "REPOSITORY",
    "RUN_SECONDS",
    "Kdevops",
    "free_port",
    "guests_of",
    "shared_lab",
    "wait_until",
]

_LONGEST_FIRST = (
    "e2e/terraform",
    "e2e/bootlinux",
    "e2e/vagrant",
    "e2e/fstests",
    "terraform/aws",
    "e2e/hosts",
    "e2e/failures",
)
"""Files: two workers end at about the same time when what takes minutes is not left for the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.e2e)
    ranks = {name: rank for rank, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(f"{item.path.parent.name}/{item.path.stem[5:]}", len(ranks)))


@pytest.fixture(scope="session", autouse=True)
def shared_kernel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The kernel that all tests share, as `kdevops kernel build --json` tells of it."""
    directory = tmp_path_factory.mktemp("kernel")
    (artifact,) = Kdevops(directory)("kernel", "build", *DEMO, "--json", timeout=BUILD_SECONDS, check=0).data
    return dict(artifact)


@pytest.fixture
def kdevops(tmp_path: Path) -> Iterator[Kdevops]:
    command = Kdevops(tmp_path / "state")
    yield command
    for lab in (command.state / "labs").glob("*"):
        lab_file = tmp_path / f"{lab.name}-down.yaml"
        lab_file.write_text(f"name: {lab.name}\n")
        command("down", lab_file)
    command.clean_up()


@pytest.fixture
def write_lab(tmp_path: Path) -> Callable[..., Path]:
    """Make a lab that has the shared kernel and runs shell scripts as its tests."""

    def write(scripts: Mapping[str, str], *, name: str = "e2e", timeout: float = 60, more: Sequence[str] = ()) -> Path:
        lab = shared_lab()
        lab["name"] = name
        lab["kernel"]["config"]["options"] += more
        lab["suites"]["commands"] = {"tests": dict(scripts), "timeout": timeout}
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(lab))
        return path

    return write


@pytest.fixture
def write_compared(write_lab: Callable[..., Path]) -> Callable[..., Path]:
    """Make a lab `ab` that compares two kernels, which differ in a parameter: kd.old and kd.new."""

    def write(scripts: Mapping[str, str]) -> Path:
        path = write_lab(scripts, name="ab", timeout=10)
        said = yaml.safe_load(path.read_text())
        said["guests"]["count"] = 1
        said["kernel"]["cmdline"] = "kd.new"
        said["compare"] = {"kernel": {"cmdline": "kd.old"}}
        path.write_text(yaml.safe_dump(said))
        return path

    return write


def free_port(following: int = 0) -> int:
    """A port on loopback that nobody has, nor any of so many that follow it.

    It is below those that the system gives to connections, which would take it before it is used.
    """
    while True:
        port = random.randrange(20_000, 30_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for each in range(port, port + following + 1):
                held.enter_context(socket.create_server(("127.0.0.1", each)))
            return port
