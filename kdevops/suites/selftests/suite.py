"""The suite `selftests`: kselftest, built on the controller, run one test at a time in the guest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import UserError
from kdevops.lab.model import Selftests
from kdevops.progress import Report
from kdevops.sources import with_source
from kdevops.suites.base import KernelBuild, KernelOptions, PlannedTest
from kdevops.suites.selftests.args import with_arguments
from kdevops.suites.selftests.build import build
from kdevops.suites.selftests.catalogue import SUITE, InstalledTest, choose, kernel_options, plan
from kdevops.suites.shared.outcome import KSELFTEST, KtapReader


@dataclass(frozen=True, slots=True)
class PreparedSelftests:
    """kselftest, built and listed. `digest` identifies the payload: equal payloads need not be sent twice."""

    chosen: tuple[InstalledTest, ...]
    tests: tuple[PlannedTest, ...]
    payload: Path
    digest: str
    troubles: Mapping[str, str]

    name = SUITE

    @property
    def remote(self) -> str:
        """The guest directory of the installation."""
        return f"/var/lib/kdevops/selftests-{self.digest[:16]}"

    @property
    def record(self) -> Mapping[str, str]:
        """The payload's hash, and the build errors of the chosen targets."""
        return {"payload": self.digest, **{f"trouble {target}": text for target, text in self.troubles.items()}}

    def command(self, test: PlannedTest) -> tuple[tuple[str, ...], str]:
        """The test's argv and its working directory in the guest: its target's, as in kselftest's own runner."""
        installed = next(one for one in self.chosen if one.id == test.id)
        return installed.argv, f"{self.remote}/{installed.target}"

    def reader(self, test: PlannedTest) -> KtapReader:
        """A reader of KTAP, the same for every test."""
        return KtapReader(KSELFTEST)


@dataclass(frozen=True, slots=True)
class SelftestsSuite:
    """kselftest as requested by the lab file."""

    lab: Selftests

    name = SUITE

    def kernel_options(self, tree: Path | None) -> KernelOptions:
        """The options in the targets' own config files. Raises UserError for an unknown target, or without a tree."""
        return kernel_options(_need(tree), self.lab.targets)

    async def prepare(self, kernel: KernelBuild, *, cache: Path, report: Report) -> PreparedSelftests:
        """Build the targets. Raises UserError if one does not build, and for names that match no test."""
        tree = _need(kernel.tree)
        # One build directory per tree and compiler, kept so that the next change of this tree needs only an incremental
        # make.
        place = hashlib.sha256(f"{tree.resolve()} {kernel.compiler}".encode()).hexdigest()[:16]
        build_dir = cache / "selftests" / f"objects-{place}"
        built = await build(
            tree, build_dir, self.lab.targets, cache=cache, key=kernel.key, report=report, compiler=kernel.compiler
        )
        chosen = choose(with_arguments(built.tests, self.lab.args), self.lab)
        return PreparedSelftests(chosen, plan(chosen, self.lab), built.payload, built.digest, built.troubles)


def _need(tree: Path | None) -> Path:
    if tree is None:
        raise UserError(
            "suites.selftests needs the kernel's source, but a prebuilt kernel has none",
            hint=f"give kernel.source as {with_source()}, or remove selftests from the lab",
        )
    return tree
