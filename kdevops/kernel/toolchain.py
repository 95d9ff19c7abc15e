"""The compiler and its tools: find them, report missing ones, and pass them to make."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from kdevops.distribution import install_hint
from kdevops.errors import InfrastructureError, UserError
from kdevops.files import digest_of
from kdevops.kernel.spec import Compiler
from kdevops.process import run

# What LLVM=1 means is in the kernel's top Makefile: every tool is LLVM's, none falls back to binutils.
_LLVM = ("clang", "ld.lld", "llvm-ar", "llvm-nm", "llvm-objcopy", "llvm-objdump", "llvm-readelf", "llvm-strip")
_COMMANDS = {"gcc": ("gcc", "ld"), "clang": _LLVM}
_ALWAYS = ("make", "flex", "bison", "bc", "perl")
_PATH = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]
)  # on Debian, depmod is not on a user's PATH

_COMMAND_FOR = {
    "MODULES": "depmod", "MODULE_COMPRESS_XZ": "xz", "MODULE_COMPRESS_ZSTD": "zstd", "MODULE_SIG": "openssl",
    "DEBUG_INFO_BTF": "pahole", "IKHEADERS": "cpio", "KERNEL_BZIP2": "bzip2", "KERNEL_LZ4": "lz4", "KERNEL_LZMA": "xz",
    "KERNEL_LZO": "lzop", "KERNEL_XZ": "xz", "KERNEL_ZSTD": "zstd",
}  # fmt: skip
# Option → the header it needs, and the library that has it.
_LIBELF = ("gelf.h", "libelf")
_OPENSSL = ("openssl/opensslv.h", "libssl")
_HEADER_FOR = {
    "OBJTOOL": _LIBELF,
    "STACK_VALIDATION": _LIBELF,
    "MODULE_SIG": _OPENSSL,
    "SYSTEM_TRUSTED_KEYRING": _OPENSSL,
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """The kernel's names for a machine: `arch` for ARCH=, `source` the directory below arch/."""

    arch: str
    source: str


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The compiler. `versions`: first line of each tool's --version; `ccache`: its path or None."""

    compiler: Compiler
    versions: Mapping[str, str]
    ccache: str | None

    @property
    def key(self) -> str:
        """Differs whenever the generated code could differ."""
        return digest_of([self.compiler, dict(self.versions)])

    def make_arguments(self) -> list[str]:
        """Variables for make's command line, where they override the environment and the tree."""
        cached = f"{self.ccache} {self.compiler}" if self.ccache else self.compiler
        llvm = f"LLVM={'1' if self.compiler == 'clang' else ''}"  # empty overrides the caller's environment
        return [llvm, f"CC={cached}", f"HOSTCC={cached}", "CROSS_COMPILE="]


def architecture(machine: str | None = None) -> Architecture:
    """This machine's architecture. Raises UserError on one that has no lean configuration."""
    machine = machine or platform.machine()
    known = {"x86_64": Architecture("x86_64", "x86"), "aarch64": Architecture("arm64", "arm64")}
    if machine not in known:
        raise UserError(f"kernels can be built only for {' and '.join(known)}, but this machine is {machine}")
    return known[machine]


async def probe(compiler: Compiler) -> Toolchain:
    """Ask every tool for its version. Raises InfrastructureError naming all missing tools and how to install them."""
    commands = _COMMANDS[compiler]
    require([*commands, *_ALWAYS])
    versions = {}
    for command in commands:
        versions[command] = (await run([command, "--version"], timeout=30)).stdout.partition("\n")[0]
    return Toolchain(compiler, versions, shutil.which("ccache"))


def require(commands: list[str]) -> None:
    """Raise InfrastructureError naming every command that is not installed."""
    if missing := [command for command in commands if not which(command)]:
        message = f"building a kernel needs tools that are not installed: {', '.join(missing)}"
        raise InfrastructureError(message, hint=install_hint(*missing))


async def require_for(config: Mapping[str, str], toolchain: Toolchain) -> None:
    """Check what this configuration needs beyond the compiler: compressors, depmod, headers of libelf and OpenSSL."""
    enabled = {symbol for symbol, value in config.items() if value in {"y", "m"}}
    require(sorted({command for symbol, command in _COMMAND_FOR.items() if symbol in enabled}))
    missing = []
    for header, library in sorted({_HEADER_FOR[symbol] for symbol in enabled & _HEADER_FOR.keys()}):
        text = f"#include <{header}>\n".encode()
        done = await run([toolchain.compiler, "-xc", "-fsyntax-only", "-"], stdin=text, check=False, timeout=30)
        if done.returncode != 0:
            missing.append(library)
    if missing:
        message = f"this configuration needs the development files of {' and '.join(missing)}, which are not installed"
        raise InfrastructureError(message, hint=install_hint(*missing))


def which(command: str) -> str | None:
    """The path of a command; also searches directories that only root has on PATH (depmod)."""
    return shutil.which(command, path=_PATH)
