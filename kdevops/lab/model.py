"""lab.yaml as typed, frozen models. Loading, `--set` and error messages are in `kdevops.lab.load`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union

from pydantic import (
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetPydanticSchema,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from kdevops.lab.fields import (
    MAX_NAME,
    DiskSize,
    Memory,
    Model,
    Name,
    Paths,
    Ref,
    Repository,
    Sha256,
    Size,
    Strings,
    Symbols,
    one_or_more,
)
from kdevops.lab.fstests import Fstests
from kdevops.lab.hosts import Hosts
from kdevops.lab.servers import ROLES
from kdevops.lab.terraform import Terraform
from kdevops.lab.vagrant import Vagrant
from kdevops.lab.verdict import VerdictRules
from kdevops.sources import SOURCES, SourceKind

DEV = "-dev"
"""Suffix of the name of the lab under test when there is a baseline."""
MAX_PORT = 65535
_Part = TypeVar("_Part", bound=Model)


class Disk(Model):
    """Extra disks of a guest, named by serial: `/dev/disk/by-id/virtio-kd-<n>`, n from 0."""

    size: DiskSize
    count: int = Field(default=1, ge=1, le=16)


class Image(Model):
    """The image of a guest's root disk. Without `path` or `url`, mmdebstrap builds one from the mirror."""

    path: Path | None = None
    url: str | None = None
    sha256: Sha256 | None = None
    suite: str = Field(default="bookworm", pattern=r"^[a-z][a-z0-9.-]*$")
    mirror: str | None = None
    packages: Strings = ()
    size: Size = 4 << 30
    init: Literal["kdevops", "systemd"] = "kdevops"

    @model_validator(mode="after")
    def _one_origin(self) -> Image:
        if self.path and self.url:
            raise ValueError("give either path or url, not both")
        if self.url and not self.sha256:
            raise ValueError("a url needs a sha256")
        return self


class Guests(Model):
    """Number and size of the guests. `memory` is in bytes."""

    count: int = Field(default=1, ge=1, le=1000)
    cpus: int = Field(default=2, ge=1, le=256)
    memory: Memory = 2 << 30
    disks: tuple[Disk, ...] = ()
    image: Image = Image()


class Source(Model):
    """Where the kernel comes from: exactly one of path, tarball, git, package, prebuilt."""

    path: Path | None = None
    tarball: str | None = None
    sha256: Sha256 | None = None
    git: Repository | None = None
    ref: Ref | None = None
    package: str | None = None
    prebuilt: Path | None = None

    @property
    def kinds(self) -> list[SourceKind]:
        """The kinds that are given; of a valid source exactly one."""
        return [kind for kind in SOURCES if getattr(self, kind)]

    @model_validator(mode="after")
    def _one_origin(self) -> Source:
        kinds = self.kinds
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none"
            raise ValueError(f"exactly one of {', '.join(SOURCES)} is needed, found {found}")
        if self.ref and not self.git:
            raise ValueError("ref needs git")
        if self.tarball and "://" in self.tarball and not self.sha256:
            raise ValueError("a tarball from a URL needs its sha256")
        return self


class Config(Model):
    """The kernel's configuration: a base (lean, defconfig, distro, a file), fragments (names, files), single options.

    A name with a slash or a dot is a file. Kconfig may drop an option in `optional`; if it drops any other, the
    build stops.
    """

    base: str = "lean"
    fragments: Strings = ()
    options: Symbols = ()
    optional: Symbols = ()


class Kernel(Model):
    """The kernel to build and boot."""

    source: Source = Source(package="linux-source-6.1")
    patches: Paths = ()
    config: Config = Config()
    compiler: Literal["gcc", "clang"] = "gcc"
    jobs: int | None = Field(default=None, ge=1)
    cmdline: Strings = ()

    def filled_from(self, other: Kernel) -> Kernel:
        """This kernel with unset fields, also of its configuration, taken from `other`."""
        filled = _filled(self, other)
        return filled.model_copy(update={"config": _filled(filled.config, other.config)})


Target = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*$",
        description="a directory of tools/testing/selftests, such as futex or net/forwarding",
    ),
]


class Selftests(Model):
    """kselftest: `targets` are directories of the tree's selftests; `tests` (target:test) selects some, `skip` excludes some."""

    targets: Annotated[tuple[Target, ...], one_or_more(Target), Field(min_length=1)]
    tests: Strings = ()
    skip: Strings = ()
    timeout: float | None = Field(
        default=None, gt=0, description="seconds a test may take; default: the tree's own settings"
    )
    args: dict[str, str] = Field(
        default={},
        description="arguments of a test by its name, rtctest or cpu-on-off-test.sh; also read from kselftest's "
        "environment variables KSELFTEST_RTCTEST_ARGS, KSELFTEST_CPU_ON_OFF_TEST_SH_ARGS",
    )


class Kunit(Model):
    """KUnit: `options` are the test options to build in (or as modules), `suites` selects suites by name (globs)."""

    options: Symbols = ("CONFIG_KUNIT_EXAMPLE_TEST=y",)
    suites: Strings = ()
    timeout: float = Field(
        default=300, gt=0, description="seconds for the whole KUnit run on an accelerated guest; longer when emulated"
    )


class Commands(Model):
    """The lab's own tests: shell scripts by name, run in the guest. Exit 0 is a pass, 4 a skip; KTAP output is parsed."""

    tests: dict[str, str] = Field(min_length=1)
    timeout: float = Field(
        default=60, gt=0, description="seconds a test may take on an accelerated guest; longer when emulated"
    )


class Suites(Model):
    """The test suites to run."""  # the sections of further suites join it: lab.joined

    commands: Commands | None = None
    selftests: Selftests | None = None
    kunit: Kunit | None = None
    fstests: Fstests | None = None


class Qemu(Model):
    """The embedded provider: QEMU without a daemon."""

    type: Literal["qemu"] = "qemu"
    accel: Literal["auto", "kvm", "tcg"] = "auto"
    network: Literal["isolated", "outgoing"] = Field(
        default="isolated",
        description="isolated: no traffic but our ssh; outgoing: guests can reach what this machine can reach",
    )
    binary: str | None = None
    ssh_port: int | None = Field(
        default=None, ge=1024, le=MAX_PORT, description="port of the first guest; default: any free port"
    )
    boot_timeout: float = Field(
        default=60, gt=0, description="seconds until ssh answers when accelerated; longer when emulated"
    )


def _provider_type(value: object) -> object:
    return value.get("type", "qemu") if isinstance(value, dict) else getattr(value, "type", None)


PROVIDERS: dict[str, type[Model]] = {"qemu": Qemu, "vagrant": Vagrant, "terraform": Terraform, "hosts": Hosts}
"""`provider.type` → model of its section; `kdevops.run.guests.kinds.KINDS` has the implementations."""


def _any_provider(_: object, handler: GetCoreSchemaHandler) -> CoreSchema:
    tagged = [Annotated[model, Tag(name)] for name, model in PROVIDERS.items()]
    return handler.generate_schema(Annotated[Union[tuple(tagged)], Discriminator(_provider_type)])  # noqa: UP007


Provider = Annotated[Qemu | Vagrant | Terraform | Hosts, GetPydanticSchema(_any_provider)]
"""One of PROVIDERS. Generic code only reads fields that all of them have."""


class Compare(Model):
    """The baseline: fields not set here are as in the rest of the lab."""

    kernel: Kernel = Kernel()
    guests: Guests | None = None
    provider: Provider | None = Field(default=None, description="provider of its guests, if different")

    @model_validator(mode="after")
    def _differs(self) -> Compare:
        if not self.model_fields_set & {"kernel", "provider"}:
            raise ValueError("needs a kernel or a provider that differs")
        return self


class Lab(Model):
    """The whole of lab.yaml."""

    name: Name
    provider: Provider = Qemu()
    guests: Guests = Field(default=Guests(), validate_default=True)
    kernel: Kernel = Kernel()
    compare: Compare | None = Field(
        default=None,
        description="the kernel to compare with: every test also runs on it, in its own guests; "
        "the guests under test are then named <name>-dev-1, <name>-dev-2, …",
    )
    suites: Suites = Suites()
    baseline: Path | None = Field(
        default=None, description="directory of stored baselines; default: baselines/ beside the lab file"
    )
    verdict: VerdictRules = VerdictRules()

    @field_validator("guests")
    @classmethod
    def _as_many_as_hosts(cls, guests: Guests, info: ValidationInfo) -> Guests:
        provider = info.data.get("provider")
        return _on(provider, guests) if provider else guests

    @field_validator("compare")
    @classmethod
    def _beside(cls, compare: Compare | None, info: ValidationInfo) -> Compare | None:
        if compare is None:
            return None
        name, provider, guests, kernel = (info.data.get(field) for field in ("name", "provider", "guests", "kernel"))
        if name:
            _check_arms_names(name)
        if not (provider and guests and kernel):
            return compare  # their problems are already reported
        _check_arms_machines(compare, provider, guests)
        own = compare.guests
        if compare.provider:
            own = _on(compare.provider, own) if own else _on(compare.provider, guests, exactly=False)
        return compare.model_copy(update={"kernel": compare.kernel.filled_from(kernel), "guests": own})

    def provider_as(self, model: type[_Part]) -> _Part:
        """The provider, for code of one kind of provider. Raises TypeError if it is of another kind."""
        if not isinstance(self.provider, model):
            raise TypeError(f"the provider of lab {self.name} is {self.provider.type}, expected {model.__name__}")
        return self.provider

    def guest_names(self) -> tuple[str, ...]:
        """The names of the guests: `<lab>-1`, `<lab>-2`, …"""
        return tuple(f"{self.name}-{number}" for number in range(1, self.guests.count + 1))


def _check_arms_names(name: str) -> None:
    if name.endswith(DEV):
        raise ValueError(f"the lab's name must not end in {DEV}: that suffix marks the lab under test")
    if len(name + DEV) > MAX_NAME:
        raise ValueError(
            f"the lab under test is named {name}{DEV}, but a name has at most {MAX_NAME} characters: "
            f"shorten `name` to {MAX_NAME - len(DEV)}"
        )


def _check_arms_machines(compare: Compare, provider: Provider, guests: Guests) -> None:
    """Raise ValueError if the baseline and the lab under test would share machines or ports."""
    if isinstance(provider, Hosts):
        others = compare.provider.hosts if isinstance(compare.provider, Hosts) else ()
        taken = {(host.address, host.port) for host in provider.hosts}
        twice = [host.address for host in others if (host.address, host.port) in taken]
        if compare.provider is None or twice:
            found = f"{twice[0]} is also under test" if twice else "it has no provider of its own"
            raise ValueError(f"the baseline needs its own machines: {found}")
    if isinstance(provider, Qemu) and provider.ssh_port and compare.provider is None:
        count = guests.count + (compare.guests or guests).count
        last = provider.ssh_port + count + 2 * len(ROLES) - 1
        if last > MAX_PORT:
            raise ValueError(f"provider.ssh_port is too high for the guests of both kernels: the last port is {last}")


def _on(provider: Provider, guests: Guests, *, exactly: bool = True) -> Guests:
    """The guests on this provider: for hosts, their number is the number of machines.

    Raises ValueError if the lab gives another number of guests or disks; without `exactly` the number of guests is not
    checked.
    """
    if not isinstance(provider, Hosts):
        return guests
    there = len(provider.hosts)
    if exactly and "count" in guests.model_fields_set and guests.count != there:
        raise ValueError(f"count is {guests.count}, but provider.hosts has {there} machines; remove count")
    wanted = sum(disk.count for disk in guests.disks)
    for host in provider.hosts:
        if len(host.disks) != wanted:
            raise ValueError(
                f"there are {wanted} disks, but provider.hosts lists {len(host.disks)} for {host.address}: "
                "each machine needs a path for each disk, with scratch: true"
            )
    return guests.model_copy(update={"count": there})


def _filled(said: _Part, other: _Part) -> _Part:
    unsaid = type(said).model_fields.keys() - said.model_fields_set
    return said.model_copy(update={field: getattr(other, field) for field in unsaid})


def lab_schema(model: type[Lab] = Lab) -> dict[str, Any]:
    """The JSON Schema (2020-12) of lab.yaml; `model` may have sections of other suites."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kdevops lab",
        **model.model_json_schema(),
    }
