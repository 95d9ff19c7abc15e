"""Images that are not ours, under our kernel."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kdevops.distribution import distribution_family
from kdevops.images.disk import tool_path
from kdevops.paths import cache_dir
from tests.e2e.conftest import Kdevops
from tests.e2e.distribution_image import distribution_image

WriteLab = Callable[..., Path]
TESTS = {
    # Nothing failed, though the image's fstab has what this kernel cannot mount.
    "whole": 'test "$(systemctl is-system-running --wait)" = running',
    "named": 'test "$(hostname)" = e2e-1',
}


def with_image(path: Path) -> tuple[str, ...]:
    return "--set", f"guests.image={{path: {path}}}", "--set", "guests.count=1", "--only", "commands/*"


@pytest.mark.skipif(distribution_family() != "debian", reason="the image is made of packages of Debian")
def test_an_image_of_a_distribution_lets_us_in(kdevops: Kdevops, write_lab: WriteLab) -> None:
    image = asyncio.run(distribution_image(cache_dir()))
    ran = kdevops("run", write_lab(TESTS), *with_image(image.bare), "--json")
    assert ran.statuses() == dict.fromkeys(TESTS, "pass"), ran.stderr


@pytest.mark.parametrize(
    ("there", "message"), [((), "the image has no systemd"), (("usr/lib/systemd/systemd",), "no /usr/sbin/sshd")]
)
def test_an_image_that_cannot_let_us_in_says_why(
    kdevops: Kdevops, write_lab: WriteLab, tmp_path: Path, there: tuple[str, ...], message: str
) -> None:
    tree, image = tmp_path / "tree", tmp_path / "image.ext4"
    for name in ("etc/hostname", *there):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    with image.open("wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", tree, image], check=True, env={"PATH": tool_path()})
    answer = kdevops("up", write_lab({"any": "true"}), *with_image(image)[:4])
    assert answer.code == 3
    assert message in answer.stderr
