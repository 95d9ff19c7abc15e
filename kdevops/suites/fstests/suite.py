"""fstests as a suite: the tests of each profile, and how a guest's `check` runs a chunk of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kdevops.errors import UserError
from kdevops.images.needs import GuestNeeds
from kdevops.lab.fstests import Fstests, Profile
from kdevops.lab.model import Guests
from kdevops.lab.servers import Role, server_address
from kdevops.progress import Progress, Report
from kdevops.results.expunges.layout import of_baseline
from kdevops.results.expunges.lists import Listed
from kdevops.results.model import Outcome, TestId
from kdevops.suites.base import RECORDED, KernelBuild, KernelOptions, PlannedTest
from kdevops.suites.fstests import catalogue, leftovers
from kdevops.suites.fstests.build import BuiltFstests, build
from kdevops.suites.fstests.check_lines import CONSOLE_MARK
from kdevops.suites.fstests.check_output import CheckParser, check_name
from kdevops.suites.fstests.choice import SUITE, choose, plan
from kdevops.suites.fstests.devices import advice, assign, disk_sizes, smallest_file_system
from kdevops.suites.fstests.expunges import Expunges, told
from kdevops.suites.fstests.local_config import SCRATCH_MNT, TEST_DIR, local_configs
from kdevops.suites.fstests.needs import guest_needs
from kdevops.suites.fstests.profiles import as_made, profiles_of
from kdevops.suites.fstests.record import reconcile
from kdevops.suites.fstests.requirements import kernel_options, refusals, unserved
from kdevops.suites.fstests.source import fetch

_NOTE = "/run/kdevops/fstests-sweep"
# $1 configuration, $2 section, $3 and $4 mount points of test and scratch, then `check` and its arguments. An NFSv3
# client needs rpcbind for locks, which a service manager would start. `check` mounts the test device before it reads
# its sections, so if that has no file system yet, or another profile's, it is made first, by the function that `check`
# itself uses.
_RUN = r"""
state=/run/kdevops/fstests
mkdir -p "$state" "$3" "$4" || exit
printf '%s' "$1" >"$state/local.config" || exit
export HOST_OPTIONS="$state/local.config"
if [ "$(cat "$state/section" 2>/dev/null)" != "$2" ]; then
    umount "$3" "$4" 2>/dev/null
    if ! bash -c 'here=$PWD tmp=/tmp/kdevops-mkfs; . ./common/rc; _test_mkfs' >"$state/mkfs.log" 2>&1; then
        echo 'our local _test_mkfs routine ...'
        cat "$state/mkfs.log"
        echo 'check: failed to mkfs $TEST_DEV using specified options'
        exit 1
    fi
    printf '%s' "$2" >"$state/section"
fi
case $1 in
    *'FSTYP="nfs"'*)
        [ -d /run/systemd/system ] || pgrep -x rpcbind >/dev/null || { mkdir -p /run/rpcbind && rpcbind; } || exit
        ;;
esac
shift 4
exec "$@"
"""


@dataclass(frozen=True)
class FstestsSuite:
    """fstests as requested by lab.yaml, on the lab's guests. Of `baseline` the expunge lists in it are used."""

    settings: Fstests
    guests: Guests
    baseline: Path | None = None
    name: str = SUITE

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """The chosen profiles. Raises UserError for an unknown one."""
        return profiles_of(self.settings)

    @property
    def servers(self) -> tuple[Role, ...]:
        """The servers of the chosen profiles. Raises UserError if one needs an unsupported server feature."""
        profiles = self.profiles
        if found := unserved(profiles):
            raise UserError(
                "suites.fstests.profiles: " + "; ".join(found), hint="remove it: nfs_v41 and nfs_v42 are served"
            )
        return tuple(dict.fromkeys(profile.server for profile in profiles.values() if profile.server))

    @property
    def needs(self) -> GuestNeeds:
        """The packages and users that fstests, the chosen file systems and their servers need."""
        return guest_needs(dict.fromkeys(profile.fs for profile in self.profiles.values()), servers=self.servers)

    def kernel_options(self, tree: Path | None) -> KernelOptions:
        """The kernel options for fstests, the file systems and the profiles."""
        return kernel_options(self.profiles)

    async def preflight(self, series: str, *, cache: Path, report: Report) -> None:
        """Raise UserError for unknown profiles and tests, missing disks, or a kernel that is too old."""
        profiles = self.profiles
        assign(profiles, disk_sizes(self.guests))
        if series:
            self.check_kernel(series, None)
        tests = catalogue.read((await fetch(self.settings.source, cache=cache, report=report)).path)
        for fs in dict.fromkeys(profile.fs for profile in profiles.values()):
            choose(tests, self.settings, fs)

    def check_kernel(
        self, kernel_release: str, packages: Mapping[str, str] | None, config: Mapping[str, str] | None = None
    ) -> None:
        """Raise UserError, with every reason, for profiles that cannot run on this kernel with these packages.

        `config` is the kernel's, symbol → value, None while it is unknown.
        """
        found = [
            why
            for name, profile in self.profiles.items()
            for why in refusals(name, profile, kernel_release=kernel_release, tools=packages, config=config)
        ]
        if found:
            raise UserError(
                "suites.fstests.profiles: " + "; ".join(found), hint="kdevops lab profiles shows what each one needs"
            )

    async def prepare(self, kernel: KernelBuild, *, cache: Path, report: Report) -> PreparedFstests:
        """Build fstests and decide what to run.

        Raises UserError as `preflight` does, for a kernel without what a profile needs, and if fstests does not build.
        """
        self.check_kernel(kernel.release, None, kernel.config)
        profiles = self.profiles
        sizes = disk_sizes(self.guests)
        devices = assign(profiles, sizes)
        built = await build(self.settings.source, self.guests.image, cache=cache, report=report)
        for line in advice(profiles, sizes):
            report(Progress(SUITE, line, done=True))
        tests = catalogue.read(built.directory)
        planned: list[PlannedTest] = []
        configs: dict[str, str] = {}
        directories = (*self.settings.expunges, *of_baseline(self.baseline, SUITE))
        expunges, listed = Expunges(directories), dict[str, list[Listed]]()
        remote = f"/opt/fstests-{built.key[:16]}"
        for name, profile in profiles.items():
            only = {name: profile}
            expunged = expunges.known(
                kernel.release,
                profile.fs,
                name,
                os_release=kernel.distribution,
                smallest_disk=smallest_file_system(only, sizes),
            )
            known = {test: each.reason for test, each in expunged.items()}
            of_profile = plan(tests, self.settings, name, profile.fs, known)
            planned += of_profile
            listed[name] = [
                expunged[test] for test in dict.fromkeys(each.id.plain.name for each in of_profile if each.known)
            ]
            address = server_address(profile.server) if profile.server else ""
            texts = local_configs(
                only, devices, server_address=address, results=f"{remote}/results", soak=self.settings.soak
            )
            configs[name] = texts[profile.fs]
        in_order = "exact-order" in (built.directory / "check").read_text(errors="replace")
        made = {name: as_made(profile) for name, profile in profiles.items()}
        passed_over = _passed_over(tests.tests, planned, profiles)
        known_from = told(kernel.release, listed) if directories else ""
        if known_from:
            report(Progress(SUITE, known_from, done=True))
        return PreparedFstests(
            built,
            tuple(planned),
            configs,
            remote,
            exact_order=in_order,
            made=made,
            passed_over=passed_over,
            known_from=known_from,
        )


@dataclass(frozen=True)
class PreparedFstests:
    """fstests, built, with every test that will be run.

    `configs` has a configuration per profile; `made` describes how each makes and mounts its file system. `passed_over`
    are tests of the tree that do not run with every profile. `known_from` says how many of the tests are known to fail, and
    which lists say so; "" if the lab has no lists.
    """

    built: BuiltFstests
    tests: tuple[PlannedTest, ...]
    configs: Mapping[str, str]
    remote: str
    exact_order: bool = True
    made: Mapping[str, str] = field(default_factory=dict)
    name: str = SUITE
    passed_over: tuple[str, ...] = ()
    known_from: str = ""

    @property
    def record(self) -> Mapping[str, str]:
        """The commit, the build environment, and how each profile makes and mounts its file system."""
        return {**self.built.record, **{f"{RECORDED}{name}": made for name, made in self.made.items()}}

    @property
    def payload(self) -> Path | None:
        """The built tree as a tar archive."""
        return self.built.tar

    @property
    def disk(self) -> Path | None:
        """The built tree as an ext4 image."""
        return self.built.disk

    def chunk_command(self, tests: Sequence[PlannedTest]) -> tuple[tuple[str, ...], str]:
        """`check` with these tests, in their order if it supports that, prepared by a script."""
        profile = tests[0].id.profile
        names = [check_name(test.id) for test in tests]
        order = ["--exact-order"] if self.exact_order else []
        check = ["./check", "-s", profile, "-R", "xunit", *order, *names]
        return ("sh", "-c", _RUN, "kdevops", self.configs[profile], profile, TEST_DIR, SCRATCH_MNT, *check), self.remote

    def output_parser(self, tests: Sequence[PlannedTest]) -> CheckParser:
        """A parser of the output of `check`."""
        return CheckParser(tests)

    def console_mark(self, test: TestId) -> str:
        """What fstests' `check` writes to /dev/kmsg, followed by the time."""
        return f"{CONSOLE_MARK}{check_name(test)} at "

    def keep_command(self, test: TestId | None, profile: str, limit: int) -> tuple[str, ...]:
        """A tar of a test's files, or of `check`'s own record."""
        results = f"{self.remote}/results/{profile}"
        if test is None:
            return leftovers.record_command(results, limit)
        return leftovers.keep_command(results, check_name(test), limit)

    def sweep_command(self) -> tuple[str, ...]:
        """Report what earlier tests left: mounts, loop devices, a full disk."""
        return leftovers.sweep_command(_NOTE, [TEST_DIR, SCRATCH_MNT, self.remote])

    def reconcile(self, directory: Path, told: Mapping[TestId, Outcome]) -> Sequence[str]:
        """Contradictions between `check`'s output and check.time, check.log and result.xml."""
        return reconcile(directory, told)


def _passed_over(names: Iterable[str], planned: Iterable[PlannedTest], profiles: Collection[str]) -> tuple[str, ...]:
    chosen = {(test.id.profile, test.id.plain.name) for test in planned}
    return tuple(name for name in names if any((profile, name) not in chosen for profile in profiles))
