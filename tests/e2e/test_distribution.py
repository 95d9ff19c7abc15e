"""A distribution's own kernel: nothing is compiled, and its drivers are modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdevops.distribution import distribution_family
from tests.e2e.conftest import Kdevops

LAB = """
name: distribution
guests: {count: 1, cpus: 2, memory: 1GiB}
kernel:
  source: {package: linux-image-cloud-amd64}
suites:
  commands:
    tests:
      booted-through-initramfs: grep -q '^virtio_blk ' /proc/modules
      modules-are-there: modprobe xfs
"""


@pytest.mark.skipif(distribution_family() != "debian", reason="the kernel comes from a package of Debian")
def test_a_modular_kernel_boots_and_finds_its_modules(kdevops: Kdevops, tmp_path: Path) -> None:
    lab = tmp_path / "lab.yaml"
    lab.write_text(LAB)
    ran = kdevops("run", lab, "--json", check=0)
    assert set(ran.statuses().values()) == {"pass"}
    assert "cloud" in ran.data["kernel"]
