"""A toy fstests: a tree whose `check` speaks as the real one does, and whose tests do what real tests do at their worst.

It needs bash, coreutils, awk, sed, grep and diffutils, and is built by `make`, which compiles nothing. With a real
TEST_DEV it makes and mounts real file systems, so that what mkfs refuses is really refused. Its tests:

    generic/001  passes                              generic/012  fills the root file system and passes
    generic/002  passes after FAKE_SLOW seconds      generic/013  reboots the guest by itself
    generic/003  is not run                          generic/014  kills check, as the kernel does when memory runs out
    generic/004  prints what is not expected         generic/015  leaves a .full of 5 GiB (sparse) and fails
    generic/005  exits with 1                        generic/016  leaves a mount behind and passes
    generic/006  makes the kernel print a WARNING    generic/017  leaves a loop device behind and passes
    generic/007  fails FAKE_FLAKE times in 100       generic/018  dumps core
    generic/008  prints garbage                      generic/019  leaves the test file system inconsistent
    generic/009  panics the guest                    generic/020  has no expected output
    generic/010  sleeps for ever                     xfs/001, ext4/001, btrfs/001  pass
    generic/011  hangs the whole guest: every processor spins in a real-time task

Knobs, from the environment or, where nobody can set that (a guest), from `make_tree(settings=…)`:

    FAKE_DRY    anything: no mkfs, no mount, no root, nothing done to the machine; 009 to 013, 016 and 017 only say so
    FAKE_FLAKE  per cent of failures of generic/007 (50)
    FAKE_SLOW   seconds that generic/002 takes (3)
    FAKE_FILL   directory whose file system generic/012 fills (/)
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TEMPLATE = Path(__file__).parent / "tree"


@dataclass(frozen=True)
class Toy:
    """One test: its groups, the shell commands it consists of, and what it is expected to print (None: no such file)."""

    groups: str = "auto quick"
    script: str = "echo fine"
    expected: str | None = "fine\n"


_PANIC = "echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger; sleep 60"
_REBOOT = "sync; echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger; sleep 60"
_SPIN = """
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
    taskset -c "${cpu##*/cpu}" chrt -f 99 bash -c 'while :; do :; done' &
done
wait
"""
_FILL = """
fill=${FAKE_FILL:-/}
fallocate -l "$(df --output=avail -B1 "$fill" | tail -n 1)" "${fill%/}/fake-fill" 2>/dev/null
cat /dev/zero 2>/dev/null >>"${fill%/}/fake-fill"
"""


def _unless_dry(script: str) -> str:
    return f"if dry; then echo {shlex.quote('a dry run')} >>$seqres.full; else\n{script}\nfi\necho fine"


TESTS = {
    "generic/001": Toy("rw auto quick"),
    "generic/002": Toy("auto", "sleep ${FAKE_SLOW:-3}; echo fine"),
    "generic/003": Toy(script='_notrun "no such feature on $FSTYP"'),
    "generic/004": Toy(script="echo some detail >$seqres.full; echo something else"),
    "generic/005": Toy(script="echo fine; exit 1"),
    "generic/006": Toy(script='say_to_kernel "WARNING: CPU: 0 PID: 1 at fs/toy.c:5 toy+0x1/0x2"; echo fine'),
    "generic/007": Toy(script="[ $((RANDOM % 100)) -lt ${FAKE_FLAKE:-50} ] && echo flake; echo fine"),
    "generic/008": Toy(script="printf '\\033[2J\\r\\001\\377\\000garbage\\n'; head -c 100000 /dev/urandom; echo fine"),
    "generic/009": Toy("auto dangerous", _unless_dry(_PANIC)),
    "generic/010": Toy("auto dangerous", _unless_dry("sleep 100000")),
    "generic/011": Toy("auto dangerous", _unless_dry(_SPIN)),
    "generic/012": Toy("auto enospc", _unless_dry(_FILL)),
    "generic/013": Toy("auto dangerous", _unless_dry(_REBOOT)),
    "generic/014": Toy("auto dangerous", "kill -9 $PPID; sleep 1; echo fine"),
    "generic/015": Toy("auto", "truncate -s 5G $seqres.full; echo fine; exit 1"),
    "generic/016": Toy("auto", _unless_dry("mkdir -p /mnt/left-behind && mount -t tmpfs none /mnt/left-behind")),
    "generic/017": Toy("auto", _unless_dry("truncate -s 8M /var/tmp/left-behind && losetup -f /var/tmp/left-behind")),
    "generic/018": Toy(script="echo core >core; echo fine"),
    "generic/019": Toy(script="echo bad >$RESULT_DIR/inconsistent; echo fine"),
    "generic/020": Toy(expected=None),
    "xfs/001": Toy(),
    "ext4/001": Toy(),
    "btrfs/001": Toy(),
}
HARMLESS = ("generic/001", "generic/002", "generic/003", "xfs/001", "ext4/001", "btrfs/001")
"""Those that pass or are not run."""


def make_tree(
    path: Path,
    *,
    passing: int = 0,
    tests: Mapping[str, Toy] | None = None,
    settings: Mapping[str, str] | None = None,
    build_error: bool = False,
) -> Path:
    """Write the tree to `path`, a new directory, and return it.

    `passing` adds that many tests that pass, from generic/101 on; `tests` adds to TESTS or replaces some; `settings` are
    knobs; with `build_error`, make ends with an error in src/toy.c, line 6.
    """
    shutil.copytree(_TEMPLATE, path)
    more = {f"generic/{number}": Toy() for number in range(101, 101 + passing)}
    for name, toy in (TESTS | more | dict(tests or {})).items():
        _write_test(path / "tests" / name, toy)
    knobs = "".join(f': "${{{name}:={value}}}"\n' for name, value in (settings or {}).items())
    (path / "fake.conf").write_text(knobs)
    if build_error:
        makefile = path / "Makefile"
        text = makefile.read_text()
        fault = "default: broken\nbroken:\n\t@echo \"src/toy.c:6:9: error: 'oops' undeclared\" >&2; exit 1\n"
        assert "# fault\n" in text
        makefile.write_text(text.replace("# fault\n", fault))
    return path


def make_repository(path: Path, **changes: object) -> str:
    """Write the tree to `path` and commit it to a git repository there; the commit. Takes what `make_tree` takes."""
    make_tree(path, **changes)  # type: ignore[arg-type]
    git = ["git", "-C", str(path), "-c", "user.name=toy", "-c", "user.email=toy@example.org"]
    for arguments in (["init", "-q", "-b", "master"], ["add", "."], ["commit", "-q", "-m", "A toy fstests"]):
        subprocess.run([*git, *arguments], check=True)
    done = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _write_test(path: Path, toy: Toy) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n. ./common/preamble\n_begin_fstest {toy.groups}\n\n{toy.script}\n")
    path.chmod(0o755)
    if toy.expected is not None:
        path.with_name(f"{path.name}.out").write_text(f"QA output created by {path.name}\n{toy.expected}")
