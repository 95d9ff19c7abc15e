from __future__ import annotations

import subprocess
from pathlib import Path

from tests.fakelinux import make_tree


def make(*words: object) -> str:
    return subprocess.run(["make", *map(str, words)], check=True, capture_output=True, text=True).stdout


def test_the_toy_answers_like_a_kernel(toy: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    for target in ("tinyconfig", "defconfig", "olddefconfig", "all", "headers"):
        make("-C", toy, f"O={output}", "-j2", target)
    assert (output / "usr/include/linux/toy.h").is_file()
    assert make("-s", "-C", toy, f"O={output}", "kernelrelease").strip() == "6.1.0-toy+"
    assert make("-s", "-C", toy, f"O={output}", "LOCALVERSION=-x", "kernelrelease").strip() == "6.1.0-toy-x"
    assert (output / make("-s", "-C", toy, f"O={output}", "image_name").strip()).is_file()


def test_the_toys_selftests_install(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path / "linux",
        selftests={"more/Makefile": "TEST_PROGS := a.sh\ninclude ../lib.mk\n", "more/a.sh": "#!/bin/sh\n"},
    )
    installed = tmp_path / "installed"
    make(
        "-C",
        tree / "tools/testing/selftests",
        f"O={tmp_path}/out",
        "TARGETS=toy compiled more",
        f"INSTALL_PATH={installed}",
        "install",
    )
    listed = (installed / "kselftest-list.txt").read_text().split()
    assert listed == ["toy:pass.sh", "toy:fail.sh", "toy:skip.sh", "compiled:hello", "more:a.sh"]
    assert subprocess.run([installed / "compiled/hello"], check=True, capture_output=True, text=True).stdout.endswith(
        "ok 1 hello\n"
    )
    assert subprocess.run([installed / "toy/skip.sh"], check=False, capture_output=True).returncode == 4
