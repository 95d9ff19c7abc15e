"""A kernel's configuration: options are requested, resolved by the tree's own Kconfig, and the result is checked."""

from __future__ import annotations

import difflib
import gzip
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from kdevops.errors import InfrastructureError, UserError
from kdevops.files import digest_of, write_atomic
from kdevops.kernel.kconfig import find_symbols, reason
from kdevops.kernel.make import Make
from kdevops.kernel.options import Request, format_config, merge, parse_config, parse_fragment, satisfies
from kdevops.kernel.spec import BuildSpec, ConfigSpec
from kdevops.kernel.toolchain import Architecture

_CONFIGS = files("kdevops.kernel").joinpath("configs")
FRAGMENTS = ("box", "cloud", "debug", "fault-injection", "kasan", "lockdep", "nvme", "virtualbox", "xfs")
_BASES = ("lean", "defconfig", "distro")
_DISTRO_CONFIGS = (Path(f"/boot/config-{os.uname().release}"), Path("/proc/config.gz"))
_STAMP = ".kdevops-config"
_MAX_BYTES = 4 << 20
_MAX_NAMED = 20

# A distribution signs its modules with keys that only it has; without this, the build fails looking for them.
_DISTRO_KEYS = {"SYSTEM_TRUSTED_KEYS": '""', "SYSTEM_REVOCATION_KEYS": '""', "MODULE_SIG": "n", "DEBUG_INFO_BTF": "n"}


@dataclass(frozen=True, slots=True)
class ConfigPlan:
    """Input for Kconfig: a make target or the text of a .config to start from, and the requests on top of it."""

    target: str | None
    text: str
    requests: Mapping[str, Request]
    warnings: tuple[str, ...]

    @property
    def key(self) -> str:
        """Differs whenever the result in the same tree could differ."""
        asked = [[request.symbol, request.value, request.required] for request in self.requests.values()]
        return digest_of([self.target, self.text, sorted(asked)])


def plan_config(spec: BuildSpec, architecture: Architecture) -> ConfigPlan:
    """Read all inputs of the configuration. Raises UserError for unknown names, broken lines, contradictions."""
    arch = architecture.arch
    base = _shipped("guest") + _shipped(f"guest-{arch}")
    target, text = None, ""
    match spec.config.base:
        case "lean":
            target = "tinyconfig"
            base += _shipped("lean") + _shipped(f"lean-{arch}")
        case "defconfig":
            target = "defconfig"
        case "distro":
            text = format_config(parse_config(_distro_config()) | _DISTRO_KEYS)
        case name:
            text = _base_file(name)
    requests, warnings = merge(base, _chosen(spec.config), spec.asked)
    return ConfigPlan(target, text, requests, tuple(warnings))


async def configure(plan: ConfigPlan, make: Make, architecture: Architecture) -> list[str]:
    """Write the .config of a build directory, but only when it changes. Returns warnings about optional requests.

    Raises UserError naming every required option that Kconfig dropped, with the reason.
    """
    draft = make.output / ".config.kdevops"
    make.output.mkdir(parents=True, exist_ok=True)
    draft.write_text(plan.text)
    if plan.target:
        await make.run(plan.target, f"KCONFIG_CONFIG={draft}")
    wanted = {request.symbol: request.value for request in plan.requests.values()}
    begun = {symbol: value for symbol, value in parse_config(draft.read_text()).items() if symbol not in wanted}
    draft.write_text(format_config(begun | wanted))  # requests come last: in a choice, Kconfig takes the last
    await make.run("olddefconfig", f"KCONFIG_CONFIG={draft}")
    text = draft.read_text()
    warnings = check(plan, parse_config(text), make.tree, architecture)
    final = make.output / ".config"
    if not final.is_file() or final.read_text() != text:
        draft.replace(final)
    return warnings


def check(plan: ConfigPlan, found: Mapping[str, str], tree: Path, architecture: Architecture) -> list[str]:
    """Compare the result with the plan. Returns warnings for missing optional options, raises UserError for required ones."""
    lost = [one for one in plan.requests.values() if not satisfies(found.get(one.symbol, "n"), one.value)]
    if not lost:
        return list(plan.warnings)
    symbols = find_symbols(tree, [one.symbol for one in lost], architecture.source)

    def told(one: Request) -> str:
        why = reason(symbols.get(one.symbol), found)
        return f"CONFIG_{one.symbol}: {one.who} wants {one.value}, it is {found.get(one.symbol, 'n')}: {why}"

    required = [told(one) for one in lost if one.required]
    if required:
        more = [f"… and {len(required) - _MAX_NAMED} more"] if len(required) > _MAX_NAMED else []
        raise UserError(
            "the kernel configuration lacks required options:\n  " + "\n  ".join(required[:_MAX_NAMED] + more),
            hint="enable its dependencies, or list the option under config: optional",
        )
    return [*plan.warnings, *map(told, lost)]


def is_fresh(plan: ConfigPlan, tree: Path, output: Path) -> bool:
    """Whether the .config of a build directory is the result of `plan`, with no Kconfig file changed since `mark_fresh`.

    Kconfig lists the files it read as "deps_config := ..." in include/config/auto.conf.cmd.
    """
    stamp, noted = output / _STAMP, output / "include/config/auto.conf.cmd"
    try:
        if stamp.read_text() != plan.key:
            return False
        made = stamp.stat().st_mtime_ns
        _, _, rest = noted.read_text().replace("\\\n", " ").partition("deps_config :=")
        names = rest.partition("\n")[0].split()
        return bool(names) and all((tree / name).stat().st_mtime_ns <= made for name in names)
    except OSError:
        return False


def mark_fresh(plan: ConfigPlan, output: Path) -> None:
    """Record that the .config of a build directory is the result of `plan`."""
    write_atomic(output / _STAMP, plan.key)


def _chosen(config: ConfigSpec) -> list[Request]:
    found: list[Request] = []
    for name in config.fragments:
        if name in FRAGMENTS:
            found += _shipped(name, f"fragment {name}")
        elif Path(name).is_file():
            found += parse_fragment(_read(Path(name)), f"fragment {name}")
        else:
            near = difflib.get_close_matches(name, FRAGMENTS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(FRAGMENTS)}; or the path of a file"
            raise UserError(f"there is no configuration fragment {name!r}", hint=hint)
    found += parse_fragment("\n".join(config.options), "config: options")
    for request in parse_fragment("\n".join(config.optional), "config: optional"):
        found.append(Request(request.symbol, request.value, request.who, required=False))
    return found


def _shipped(name: str, who: str = "") -> list[Request]:
    return parse_fragment(_CONFIGS.joinpath(f"{name}.config").read_text(), who or f"{name}.config")


def _base_file(name: str) -> str:
    if Path(name).is_file():
        return _read(Path(name))
    near = difflib.get_close_matches(name, _BASES, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(_BASES)}; or the path of a .config"
    raise UserError(f"there is no base configuration {name!r}", hint=hint)


def _distro_config() -> str:
    for path in _DISTRO_CONFIGS:
        if path.is_file():
            return _read(path)
    raise UserError(
        "cannot find the configuration of this machine's kernel", hint="use the base lean or defconfig, or a file"
    )


def _read(path: Path) -> str:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(_MAX_BYTES)
    except (OSError, EOFError) as error:
        raise InfrastructureError(f"cannot read {path}: {error}") from error
    return data.decode(errors="replace")
