from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import CommandError, InfrastructureError, KdevopsError, UserError
from kdevops.kernel.diagnose import Diagnosis

TREE, OUTPUT, LOG = Path("/src/linux"), Path("/out/obj"), Path("/out/make.log")


def diagnose(text: str, returncode: int | None = 2) -> KdevopsError:
    diagnosis = Diagnosis(TREE, OUTPUT)
    for line in text.splitlines():
        diagnosis.feed(line)
    return diagnosis.error(CommandError("make failed", argv=("make",), returncode=returncode), LOG)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("/src/linux/fs/a.c:12:5: error: 'x' undeclared", "fs/a.c:12: 'x' undeclared"),
        ("../fs/a.c:12:5: error: bad [-Werror=unused]", "fs/a.c:12: bad [-Werror=unused]"),
        (
            "fs/a.c:3:10: fatal error: linux/no.h: No such file or directory",
            "fs/a.c:3: linux/no.h: No such file or directory",
        ),
        ("arch/x86/a.S:7: Error: no such instruction: `foo'", "arch/x86/a.S:7: no such instruction: `foo'"),
        (
            "ld: fs/a.o: in function `f':\na.c:(.text+0x5): undefined reference to `g'",
            "fs/a.o: undefined reference to `g'",
        ),
        ("/usr/bin/ld: /out/obj/fs/a.o:(.text+0x5): undefined reference to `g'", "fs/a.o: undefined reference to `g'"),
        ("ld.lld: error: undefined symbol: g\n>>> referenced by a.c:3", ": undefined symbol: g"),
        (
            "ld.lld: error: undefined symbol: g\n>>> referenced by a.c:3\n>>>      fs/a.o:(f) in archive x.a\n>>>  fs/b.o:(f)",
            ": fs/a.o: undefined symbol: g",
        ),
        ("ld.lld: error: cannot open x.lds: gone\nfs/a.c:1:1: error: later", ": cannot open x.lds: gone"),
        ('ERROR: modpost: "g" [drivers/a.ko] undefined!', '"g" [drivers/a.ko] undefined!'),
        ("fs/Kconfig:3: syntax error\nfs/Kconfig:2: invalid statement", "fs/Kconfig:3: syntax error"),
        ('Kconfig:3:warning: strange\nmm/Kconfig:9: unknown statement "x"', 'mm/Kconfig:9: unknown statement "x"'),
        (
            "make[2]: *** No rule to make target 'fs/b.o', needed by 'fs/built-in.a'.  Stop.",
            "No rule to make target 'fs/b.o'",
        ),
        ("error: something odd\nfs/a.c:1:1: error: the cause", "fs/a.c:1: the cause"),
        ("objtool: cannot open x\nmake[1]: *** [Makefile:1: vmlinux] Error 1", "objtool: cannot open x"),
    ],
)
def test_the_cause_is_told(said: str, told: str) -> None:
    error = diagnose(f"  CC      fs/x.o\n{said}\nmake: *** [Makefile:2: all] Error 2\n")
    assert isinstance(error, UserError)
    assert told in error.message
    assert error.log == LOG


def test_the_first_error_wins_over_later_ones() -> None:
    assert "a.c:1: one" in diagnose("a.c:1:1: error: one\nb.c:2:2: error: two").message


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("fs/a.c:1:1: fatal error: error writing to /tmp/x.s: No space left on device", "the disk is full"),
        ("gcc: fatal error: Killed signal terminated program cc1", "out of memory"),
        ("cc1: out of memory allocating 65536 bytes", "out of memory"),
    ],
)
def test_the_machines_trouble_is_no_users_error(said: str, told: str) -> None:
    error = diagnose(said)
    assert isinstance(error, InfrastructureError)
    assert told in error.message


def test_a_killed_make_and_a_late_one_are_the_machines() -> None:
    assert "SIGKILL" in diagnose("", -9).message
    assert isinstance(diagnose("", None), InfrastructureError)


@given(st.text())
def test_any_output_gives_one_bounded_error(text: str) -> None:
    assert len(diagnose(text).message) < 1000
