"""Guests by Vagrant: what we add to `vagrant up`, and what a kernel and a reset cost.

`python tests/bench/vagrant_up.py [FIELD=VALUE...]`; libvirt's daemons must run (`kdevops doctor --vagrant libvirt --install`).
Prints ratios of one run, taking turns: the machines' making by us against plain `vagrant up` of the same files.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).parents[2]
ROUNDS = 3
GUESTS = ("bench-1", "bench-2")


def main() -> None:
    settings = [part for word in sys.argv[1:] for part in ("--set", word)]
    with tempfile.TemporaryDirectory(prefix="kdevops-bench-") as directory:
        os.environ["KDEVOPS_STATE"] = directory
        lab = Path(directory) / "bench.yaml"
        lab.write_text(
            "name: bench\nprovider: {type: vagrant}\nguests: {count: 2, cpus: 1, memory: 1GiB}\n"
            "suites: {commands: {tests: {nothing: 'true'}}}\n"
        )
        arguments = (str(lab), *settings)
        try:
            print(f"kdevops up, box and kernel made before or now   {timed(lambda: kdevops('up', *arguments)):.0f} s")
            print(f"kdevops up again   {timed(lambda: kdevops('up', *arguments)):.1f} s")
            print(f"bootlinux on guests that run the kernel   {timed(lambda: play(lab, settings)):.1f} s")
            kdevops("down", *arguments)
            ours, plain = [], []
            root = Path(directory) / "labs/bench/vagrant"
            for _ in range(ROUNDS):
                plain.append(timed(lambda: vagrant(root, "up", "--provider=libvirt")))
                vagrant(root, "destroy", "--force")
                ours.append(timed(lambda: asyncio.run(start(root))))
                vagrant(root, "destroy", "--force")
            share = median(ours) / median(plain)
            print(
                f"our making of 2 machines : vagrant up   {share:.3f}   ({median(ours):.0f} s, {median(plain):.0f} s)"
            )
        finally:
            kdevops("down", *arguments)


async def start(root: Path) -> None:
    """All that the provider does before it installs a kernel."""
    from kdevops.providers.vagrant.group import Group
    from kdevops.providers.vagrant.tool import VagrantTool

    group = Group(VagrantTool(root, root.parent / "vagrant.log", "libvirt"), 1800)
    await asyncio.gather(*map(group.start, GUESTS))


def play(lab: Path, settings: list[str]) -> None:
    kdevops("up", str(lab), *settings, "--play", "bootlinux")


def vagrant(root: Path, *words: str) -> None:
    environment = {**os.environ, "VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_BOX_UPDATE_CHECK_DISABLE": "1"}
    subprocess.run(["vagrant", *words], cwd=root, env=environment, check=True, capture_output=True)


def kdevops(*arguments: str) -> None:
    argv = [sys.executable, "-m", "kdevops", *arguments]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)} answered {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def timed(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


if __name__ == "__main__":
    main()
