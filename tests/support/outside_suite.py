"""A distribution that brings a suite of its own, as `pip install` would have put it: a package and its dist-info."""

from __future__ import annotations

from pathlib import Path

PACKAGE = '''\
"""A suite that kdevops does not know of: words that a guest is asked to say."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from kdevops.lab.fields import Model, Strings
from kdevops.results.model import TestId
from kdevops.suites.base import KernelOptions, PlannedTest
from kdevops.suites.kind import SuiteKind
from kdevops.suites.shared.outcome import KtapReader


class Toy(Model):
    """Words, each of which is a test."""

    words: Strings = Field(min_length=1)
    wrong: Strings = ()
    shout: bool = False
    script: Path | None = None
    said: dict[str, str] | None = None


@dataclass(frozen=True)
class Prepared:
    """Words, ready."""

    toy: Toy
    payload: Path | None = None
    remote: str = "/"
    name: str = "toy"

    @property
    def record(self) -> Mapping[str, str]:
        return {"words": " ".join(self.toy.words)}

    @property
    def tests(self) -> tuple[PlannedTest, ...]:
        return tuple(PlannedTest(TestId("toy", "default", word), 60.0) for word in self.toy.words)

    def command(self, test: PlannedTest) -> tuple[tuple[str, ...], str]:
        word = (self.toy.said or {}).get(test.id.name, test.id.name)
        word = word.upper() if self.toy.shout else word
        code = 1 if test.id.name in self.toy.wrong else 0
        if self.payload:
            return ("sh", f"{self.remote}/script", word, str(code)), self.remote
        return ("sh", "-c", 'echo "$1"; exit "$2"', "toy", word, str(code)), self.remote

    def reader(self, test: PlannedTest) -> KtapReader:
        return KtapReader()


@dataclass(frozen=True)
class ToySuite:
    """As a lab asks for it."""

    toy: Toy
    name: str = "toy"

    def kernel_options(self, tree):
        return KernelOptions()

    async def prepare(self, kernel, *, cache, report):
        if self.toy.script is None:
            return Prepared(self.toy)
        key = hashlib.sha256(self.toy.script.read_bytes()).hexdigest()[:16]
        payload = cache / "toy" / f"{key}.tar"
        payload.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(payload, "w") as tar:
            tar.add(self.toy.script, "script")
        return Prepared(self.toy, payload, f"/opt/toy-{key}")


class ToyKind(SuiteKind[Toy]):
    """What the suite is to kdevops."""

    name = "toy"
    model = Toy
    {facts}

    def suites(self, section: Toy, lab) -> Sequence[ToySuite]:
        return (ToySuite(section),)


KIND = ToyKind()
'''


def install(
    directory: Path, *, name: str = "toy", source: str = PACKAGE, distribution: str = "toy-suite", facts: str = "pass"
) -> Path:
    """Put the distribution, whose suite is called `name`, into `directory`, which goes on PYTHONPATH; give that back."""
    module = distribution.replace("-", "_")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{module}.py").write_text(source.replace("{facts}", facts))
    info = directory / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[kdevops.suites]\n{name} = {module}:KIND\n")
    return directory
