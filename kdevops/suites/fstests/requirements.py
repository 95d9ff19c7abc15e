"""Why a profile cannot run here, and the kernel options that it needs."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files

import yaml
from pydantic import TypeAdapter

from kdevops.lab.fields import Model, Symbol
from kdevops.lab.fstests import Profile
from kdevops.suites.base import KernelOptions

_RELEASE = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})")
_VERSION = re.compile(r"v?([0-9]{1,9}(?:\.[0-9]{1,9})*)(~?)")
_BEYOND = {
    "pnfs": "exports with the option pnfs and a layout that its clients reach, but the lab's server has plain exports",
    "rdma": "an RDMA device (RXE) on both guests, but the lab's guests have plain network cards",
    "tls": "tlshd with certificates on both guests, but the lab makes no certificates",
}
"""Unsupported server features, and what they would need."""
_RANK = {"n": 0, "m": 1, "y": 2}


class _Options(Model):
    """A row of kernel-options.yaml."""

    required: tuple[Symbol, ...]
    optional: tuple[Symbol, ...] = ()


def kernel_options(profiles: Mapping[str, Profile]) -> KernelOptions:
    """The kernel options for fstests, the file systems of `profiles`, their servers and the profiles themselves.

    An option that one of them requires is required; of "m" and "y", "y" serves both.
    """
    table = _table()
    names = dict.fromkeys(name for profile in profiles.values() for name in (profile.fs, profile.server) if name)
    rows = [table["fstests"], *(table[name] for name in names)]
    required = _merge([row.required for row in rows] + [profile.needs.options for profile in profiles.values()])
    optional = _merge(row.optional for row in rows)
    return KernelOptions(required, {symbol: value for symbol, value in optional.items() if symbol not in required})


def unserved(profiles: Mapping[str, Profile]) -> list[str]:
    """The server features that `profiles` need but our servers lack, a sentence for each."""
    return [f"{name}: needs {_BEYOND[what]}" for name, profile in profiles.items() for what in profile.needs.server]


def refusals(
    name: str,
    profile: Profile,
    *,
    kernel_release: str,
    tools: Mapping[str, str] | None,
    page_size: int = 4096,
    zoned: bool = False,
    config: Mapping[str, str] | None = None,
) -> list[str]:
    """Why the profile `name` cannot run in a guest, a sentence each; empty if it can.

    `kernel_release` is `uname -r`. `tools` is package → version as in dpkg, None while unknown; so is `config`, the
    kernel's: symbol without CONFIG_ → value. `page_size` is in bytes; `zoned`: the disks are zoned.
    """
    needs = profile.needs
    kernel = _series(kernel_release)
    found = []
    if needs.kernel and kernel < _series(needs.kernel):
        found.append(f"needs kernel {needs.kernel} or newer, this is {kernel_release}")
    if needs.page_size and page_size < needs.page_size:
        until = needs.page_size_until
        if until is None:
            found.append(f"needs pages of {needs.page_size} bytes on any kernel, but they have {page_size}")
        elif kernel < _series(until):
            found.append(
                f"needs kernel {until} or newer, or pages of {needs.page_size} bytes: "
                f"this is {kernel_release} with {page_size}"
            )
    if needs.zoned and not zoned:
        found.append("needs disks with zones (ZNS), else it would be the same as btrfs_simple")
    if tools is not None:
        found += [why for package, oldest in needs.tools.items() if (why := _tool(package, oldest, tools.get(package)))]
    if config is not None:
        served = _table()[profile.server].required if profile.server else ()
        wanted = _merge([_table()[profile.fs].required, served, needs.options])
        found += [
            f"needs a kernel with CONFIG_{symbol}={value}, this has {config.get(symbol, 'n')}"
            for symbol, value in wanted.items()
            if value != "n" and config.get(symbol, "n") == "n"
        ]
    return [f"{name}: {why}" for why in found]


def demands(profile: Profile) -> list[str]:
    """What the profile needs, a few words each: devices, a server, versions, kernel options."""
    needs = profile.needs
    found = [f"{device} devices" for device in profile.devices]
    found += [f"a server ({profile.server})"] if profile.server else []
    found += [f"kernel {needs.kernel}"] if needs.kernel else []
    found += [package if oldest == "0" else f"{package} {oldest}" for package, oldest in needs.tools.items()]
    if needs.page_size:
        until = f" before kernel {needs.page_size_until}" if needs.page_size_until else ""
        found.append(f"pages of {needs.page_size >> 10} KiB{until}")
    found += ["zoned disks"] if needs.zoned else []
    return found + [f"CONFIG_{option.removeprefix('CONFIG_')}" for option in needs.options]


def is_at_least(version: str, oldest: str) -> bool:
    """Whether a package's version in dpkg's format is `oldest` or newer; only the upstream parts are compared.

    Epoch, Debian's revision and what follows the numbers ("+dfsg") do not count, but "~" does: 6.5~rc1 is before 6.5.
    A version without a number is older than any.
    """
    upstream = version.partition(":")[2] or version
    match = _VERSION.match(upstream)
    if not match:
        return False
    numbers, wanted = _numbers(match[1]), _numbers(oldest)
    return numbers > wanted or (numbers == wanted and not match[2])


def _tool(package: str, oldest: str, version: str | None) -> str:
    if version is None:
        return f"needs the package {package}, which is not installed"
    if is_at_least(version, oldest):
        return ""
    return f"needs {package} {oldest} or newer, this is {version}"


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers without trailing zeros: 6.5.0 is 6.5."""
    numbers = [int(number) for number in version.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _series(release: str) -> tuple[int, int]:
    match = _RELEASE.match(release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _merge(rows: Iterable[Iterable[str]]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for row in rows:
        for option in row:
            symbol, _, value = option.removeprefix("CONFIG_").partition("=")
            if _RANK.get(value, 3) >= _RANK.get(merged.get(symbol, "n"), 3):
                merged[symbol] = value
    return merged


@functools.cache
def _table() -> dict[str, _Options]:
    text = files("kdevops.suites.fstests").joinpath("kernel-options.yaml").read_text()
    return TypeAdapter(dict[str, _Options]).validate_python(yaml.safe_load(text))
