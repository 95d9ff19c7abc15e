"""A toy kernel tree that real make and a real compiler build in a second, with faults one can inject.

It answers what the builder asks of a kernel: tinyconfig, defconfig, olddefconfig, kernelrelease, image_name, headers, all,
modules_install, mrproper, `O=` and `-j`; and `make -C tools/testing/selftests install`. Its Kconfig knows every option of the
configurations that ship with kdevops, and:

    TOYFS        fs/toyfs.c, built in      TOY_MODULE   drivers/toymod.c, y or m
    TOY_CHILD    depends on TOY_PARENT     TOY_HIDDEN   has no prompt
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from kdevops.kernel.options import parse_fragment

_TEMPLATE = Path(__file__).parent / "tree"

KSELFTEST = {
    "toy/Makefile": "TEST_PROGS := pass.sh fail.sh skip.sh\ninclude ../lib.mk\n",
    "toy/config": "CONFIG_TOYFS=y\n",
    "toy/pass.sh": '#!/bin/sh\necho "TAP version 13"\necho 1..1\necho "ok 1 works"\n',
    "toy/fail.sh": '#!/bin/sh\necho "TAP version 13"\necho 1..1\necho "not ok 1 works"\nexit 1\n',
    "toy/skip.sh": '#!/bin/sh\necho "TAP version 13"\necho "1..0 # SKIP nothing to see"\nexit 4\n',
    "compiled/Makefile": "TEST_GEN_PROGS := hello\ninclude ../lib.mk\n",
    "compiled/hello.c": '#include <stdio.h>\nint main(void)\n{\n\tputs("TAP version 13\\n1..1\\nok 1 hello");\n\treturn 0;\n}\n',
}
"""Files below tools/testing/selftests; pass others to `make_tree` to add to them or replace them."""


def make_tree(
    path: Path,
    *,
    compile_error: bool = False,
    warning: bool = False,
    undefined_reference: bool = False,
    modpost_error: bool = False,
    kconfig_error: bool = False,
    unclean: bool = False,
    slow: float = 0,
    symbols: Iterable[str] = (),
    selftests: dict[str, str] | None = None,
    real: tuple[Path, str] | None = None,
    python: str = sys.executable,
) -> Path:
    """Write the tree to `path`, a new directory, and return it.

    The errors are in fs/toyfs.c, line 6 (modpost's in drivers/toymod.c, Kconfig's in fs/Kconfig). `slow` is how many seconds
    the compilation of fs/toyfs.c takes. `symbols` adds options to Kconfig, each a bool that is off. `real` is the image of a
    real kernel with its build id (hex): the build delivers that image, and a vmlinux with that build id. `python` is the
    interpreter of the machine that builds.
    """
    shutil.copytree(_TEMPLATE, path)
    (path / "scripts/python").write_text(f'#!/bin/sh\nexec {python} -ISE "$@"\n')
    (path / "scripts/python").chmod(0o755)
    (path / "Kconfig.shipped").write_text(_shipped_options(symbols))
    for name, text in (KSELFTEST | (selftests or {})).items():
        file = path / "tools/testing/selftests" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if text.startswith("#!") else 0o644)
    line = (
        "return oops;"
        if compile_error
        else "int unused;"
        if warning
        else "toy_missing();"
        if undefined_reference
        else ""
    )
    _replace(path / "fs/toyfs.c", "/* fault */", line)
    _replace(path / "drivers/toymod.c", "/* fault */", "toy_missing();" if modpost_error else "")
    if kconfig_error:
        (path / "fs/Kconfig").write_text("config TOYFS\n\tboolean_typo\n")
    if unclean:
        (path / ".config").write_text("CONFIG_TOYFS=y\n")
    if real:
        image, build_id = real
        shutil.copyfile(image, path / "real-image")
        (path / "real-build-id").write_text(f"0x{build_id}\n")
    if slow:
        (path / "fs/toyfs.slow").write_text(f"{slow}\n")
    return path


def edit(tree: Path, text: str = "changed") -> None:
    """The one-line change of a developer: the toy file system says something else."""
    _replace(tree / "fs/toyfs.c", '"toyfs', f'"toyfs {text}')


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path} lacks {old}"
    path.write_text(text.replace(old, new, 1))


def _shipped_options(symbols: Iterable[str]) -> str:
    """Kconfig entries for every option that ships with kdevops, of the type its value has."""
    shipped = files("kdevops.kernel").joinpath("configs").iterdir()
    values = {one.symbol: one.value for file in shipped for one in parse_fragment(file.read_text(), file.name)}
    values |= dict.fromkeys(symbols, "y")
    return "".join(f'config {name}\n\t{_kind(value)} "{name}"\n\n' for name, value in sorted(values.items()))


def _kind(value: str) -> str:
    if value in {"y", "m", "n"}:
        return "tristate" if value == "m" else "bool"
    return "string" if value.startswith('"') else "int"
