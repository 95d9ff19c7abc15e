"""The suite `fstests` for the lab, the plan and the reports."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from kdevops.images.needs import GuestNeeds
from kdevops.lab.fstests import Fstests
from kdevops.lab.model import Lab
from kdevops.lab.servers import Role
from kdevops.results.baselines.conditions import component
from kdevops.results.store import Store
from kdevops.suites.base import Suite
from kdevops.suites.fstests.check_lines import CONSOLE_MARK
from kdevops.suites.fstests.smb_credentials import GUEST_PATH, ensure_credentials
from kdevops.suites.kind import Check, Imported, KnownProfile, Stored, SuiteKind, check_clients
from kdevops.text import fits_any

if TYPE_CHECKING:
    from kdevops.suites.fstests.suite import FstestsSuite

_CHOOSING = {"groups", "exclude_groups", "start_after", "count", "known"}


class FstestsKind(SuiteKind[Fstests]):
    """fstests. Expensive imports are deferred, because reports only need the facts."""

    name = "fstests"
    model = Fstests
    chooses = frozenset({"profiles", "tests", "exclude", "expunges", *_CHOOSING})
    repeats = True
    explains_failures = True
    tools = ("xfsprogs", "btrfs-progs", "e2fsprogs", "nfs-common", "cifs-utils")
    caches = ("fstests",)
    paths = {  # noqa: RUF012 - never changed
        ("source", "path"): "file",
        ("source", "git"): "file or URL",
        ("profile_files",): "file",
        ("expunges",): "file",
    }
    exclusive = {("source",): (("path",), ("git", "ref"))}  # noqa: RUF012 - never changed
    options = frozenset({*_CHOOSING, "soak"})
    console_marks = (CONSOLE_MARK,)
    test_pattern = r"[a-z0-9_]+/[A-Za-z0-9_*?\[\]-]+"
    variables = {"fstests_install": False}  # noqa: RUF012 - never changed
    imports = True
    imports_expunges = True

    def suites(self, section: Fstests, lab: Lab) -> Sequence[Suite]:
        """One suite with all profiles."""
        return (_suite(section, lab),)

    def guest_needs(self, section: Fstests, lab: Lab) -> GuestNeeds:
        """The packages and users that fstests, the chosen file systems and their servers need."""
        return _suite(section, lab).needs

    def servers(self, section: Fstests, lab: Lab) -> Sequence[Role]:
        """The servers of the chosen profiles."""
        return _suite(section, lab).servers

    def secrets(self, roles: Collection[Role], directory: Path) -> Mapping[str, Path]:
        """The credentials with which cifs profiles mount."""
        return {GUEST_PATH: ensure_credentials(directory)} if "smbd" in roles else {}

    def server_variables(self, role: Role, secrets: Mapping[str, Path]) -> Mapping[str, object]:
        """The credentials with which guests mount from an SMB server."""
        return {"smbd_credentials_file": str(secrets[GUEST_PATH])} if role == "smbd" else {}

    def checks(self, section: Fstests, lab: Lab) -> Iterator[Check]:
        """The tree, the profiles, their disks, and their servers."""
        from kdevops.suites.fstests.devices import assign, disk_sizes
        from kdevops.suites.fstests.profiles import profiles_of
        from kdevops.suites.fstests.source import check_tree

        if path := section.source.path:
            yield ("suites", self.name, "source"), lambda: check_tree(path)
        yield ("suites", self.name, "profiles"), lambda: profiles_of(section)
        yield ("guests", "disks"), lambda: assign(profiles_of(section), disk_sizes(lab.guests))
        yield ("suites", self.name, "profiles"), lambda: check_clients(self.servers(section, lab), lab)

    def leaves_out_known(self, section: Fstests) -> bool:
        """As the lab sets `known`."""
        return section.known == "skip"

    def not_chosen(self, section: Stored, name: str, passed_over: Collection[str]) -> str:
        """What is excluded, and what is not in the chosen groups and tests."""
        if fits_any(name, section["exclude"]):
            return "suites.fstests.exclude"
        if section["start_after"] and name <= section["start_after"]:
            return "suites.fstests.start_after"
        if name in passed_over:
            return "not selected by suites.fstests"
        by_name_alone = section["tests"] and not section["groups"]
        return "not in suites.fstests.tests" if by_name_alone and not fits_any(name, section["tests"]) else ""

    def known_profiles(self) -> Mapping[str, KnownProfile]:
        """The profiles that come with kdevops."""
        from kdevops.suites.fstests.profiles import as_made, load_profiles
        from kdevops.suites.fstests.requirements import demands

        return {
            name: KnownProfile(
                each.fs, as_made(each), demands(each), each.model_dump(mode="json", exclude_defaults=True)
            )
            for name, each in load_profiles().items()
        }

    def expunge_list(self, profile: str) -> PurePosixPath:
        """As upstream kdevops has it: below the file system, by the name of the section."""
        from kdevops.suites.fstests.profiles import file_system_of

        fs = component(file_system_of(profile) or profile)
        return PurePosixPath(fs, "unassigned", f"{component(profile)}.txt")

    def import_results(
        self,
        directory: Path,
        store: Store,
        place: Callable[[int], Path],
        *,
        lab: str,
        kernel: str,
        baseline: Path,
        expunges: Sequence[Path] = (),
    ) -> Sequence[Imported]:
        """Import the files that `check` and its wrappers leave in a directory."""
        from kdevops.suites.fstests.importing import import_results

        return import_results(directory, store, place, lab=lab, kernel=kernel, baseline=baseline, expunges=expunges)


def _suite(section: Fstests, lab: Lab) -> FstestsSuite:
    from kdevops.suites.fstests.suite import FstestsSuite

    return FstestsSuite(section, lab.guests, lab.baseline)


KIND = FstestsKind()
