"""What a test does to its guest is told of that test, and never held against the next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.e2e.conftest import Kdevops

WriteLab = Callable[..., Path]
ONLY = ("--only", "commands/*", "--set", "guests.count=1", "--json")
_FILL = (
    "room=$(df -B1M --output=avail /var/tmp | tail -n 1); fallocate -l $((room - 16))M /var/tmp/most;"
    " cat /dev/zero >/var/tmp/rest; true"
)
_LEAVES = {
    "a mount": ("mount -t tmpfs none /mnt", "/mnt is left mounted"),
    "no room": (_FILL, "cannot write to /var/tmp"),
    "no null": ("rm /dev/null", "/dev/null is gone"),
    "no proc": ("umount -l /proc", "/proc is gone"),
    "no shell": ("rm /bin/sh", "/bin/sh is gone"),
}
_WANTS = "mountpoint -q /proc && test -c /dev/null && ! mountpoint -q /mnt && head -c 2M /dev/zero >/var/tmp/x"


def test_a_guest_that_a_test_left_unfit_is_reset_before_the_next(kdevops: Kdevops, write_lab: WriteLab) -> None:
    scripts = {}
    for number, (name, (script, _)) in enumerate(_LEAVES.items()):
        scripts[f"{number} leaves {name}"] = script
        scripts[f"{number} wants a fit guest"] = _WANTS
    ran = kdevops("run", write_lab(scripts, timeout=30), *ONLY)
    assert set(ran.statuses().values()) == {"pass"}, ran.statuses()
    for number, (name, (_, complaint)) in enumerate(_LEAVES.items()):
        assert f"after commands/default/{number} leaves {name}: " in ran.stderr
        assert complaint in ran.stderr
    assert ran.stderr.count("the guest is reset") == len(_LEAVES)


def test_results_cannot_be_forged_by_what_a_test_prints(kdevops: Kdevops, write_lab: WriteLab) -> None:
    scripts = {
        "shows": "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'; exit 3",
        "forges": "for word in $(cat /proc/[0-9]*/cmdline | tr '\\0' ' '); do echo $word 0 0; echo $word code 0; done; exit 3",
    }
    ran = kdevops("run", write_lab(scripts, timeout=30), *ONLY)
    assert ran.statuses() == {"shows": "fail", "forges": "fail"}
    assert all("exit code 3" in test["reason"] for test in ran.data["tests"])
