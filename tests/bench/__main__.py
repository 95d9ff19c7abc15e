"""`make bench`, or `python tests/bench [PART...]`: how we compare with doing it manually, as ratios in one run on one machine.

Absolute seconds are printed for orientation only; machines differ, ratios less so. Nothing here is asserted.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
LAB = REPOSITORY / "labs/demo.yaml"
ROUNDS = 5
ONE_GUEST = ("--set", "guests.count=1")
TEST = "size:get_size"
WITHOUT_GUESTS = {"simulations", "judging", "decisions", "stores"}


def main() -> None:
    parts = {
        "simulations": simulations,
        "judging": judging,
        "decisions": decisions,
        "stores": stores,
        "start": start_of_the_program,
        "build": second_build,
        "up": second_up,
        "boot": boot_against_virtme,
        "inner-loop": inner_loop,
    }
    if unknown := set(sys.argv[1:]) - parts.keys():
        sys.exit(f"there is no part {', '.join(unknown)}; the parts are {', '.join(parts)}")
    with tempfile.TemporaryDirectory(prefix="kdevops-bench-") as directory:
        os.environ["KDEVOPS_STATE"] = directory
        os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        chosen = sys.argv[1:] or list(parts)
        if {*chosen} - WITHOUT_GUESTS:
            print("preparing: image, kernel, selftests", flush=True)
            kdevops("run", LAB, *ONE_GUEST, "--only", TEST)
        for part in chosen:
            parts[part]()


def simulations() -> None:
    for simulation in ("simulate.py", "controller.py"):
        script(simulation)


def judging() -> None:
    script("judging.py")


def stores() -> None:
    script("stores.py")


def decisions() -> None:
    script("decisions.py")


def script(name: str) -> None:
    # A process each, for some of them tell of their memory; as a module, so that they find what tests share.
    print(call([sys.executable, "-m", f"tests.bench.{Path(name).stem}"]), end="", flush=True)


def start_of_the_program() -> None:
    bare = [timed(lambda: call([sys.executable, "-c", "pass"])) for _ in range(2 * ROUNDS)]
    ours = [timed(lambda: kdevops("--version")) for _ in range(2 * ROUNDS)]
    tell("kdevops --version : python -c pass", ours, bare)


def second_build() -> None:
    ours = [timed(lambda: kdevops("kernel", "build", LAB)) for _ in range(ROUNDS)]
    version = [timed(lambda: kdevops("--version")) for _ in range(ROUNDS)]
    tell("kernel build without change : --version", ours, version)


def second_up() -> None:
    first = [timed(lambda: kdevops("up", LAB, *ONE_GUEST))]
    again = [timed(lambda: kdevops("up", LAB, *ONE_GUEST)) for _ in range(ROUNDS)]
    kdevops("down", LAB, *ONE_GUEST)
    tell("second up : first up", again, first)


def boot_against_virtme() -> None:
    """Process start to the first command done in the guest, the same kernel, neither accelerated."""
    vng = shutil.which("vng")
    if vng is None or not Path("/usr/lib/systemd/systemd-udevd").exists():
        print(
            "start to first command : virtme-ng         SKIPPED, it needs vng, and udev on this machine to hear from its guest"
        )
        return
    image = json.loads(kdevops("kernel", "build", LAB, "--json"))[0]["image"]

    def ours() -> None:
        kdevops("up", LAB, *ONE_GUEST, "--set", "provider.accel=tcg")
        kdevops("ssh", "demo-1", "true")

    def theirs() -> None:
        argv = [vng, "--disable-kvm", "--run", image, "--memory", "1G", "--cpus", "1", "--", "echo command done"]
        said = call(argv)
        if "command done" not in said:
            sys.exit(f"virtme-ng did not run its command: {said[-2000:]}")

    mine, other = [], []
    for _ in range(ROUNDS):
        mine.append(timed(ours))
        kdevops("down", LAB, *ONE_GUEST)
        other.append(timed(theirs))
    tell("start to first command : virtme-ng", mine, other)


def inner_loop() -> None:
    """A line changed in a built tree, to the verdict of one selftest; against make, a boot and the test run manually."""
    with tempfile.TemporaryDirectory(prefix="kdevops-bench-tree-") as place:
        _inner_loop(Path(place))


def _inner_loop(place: Path) -> None:
    artifact = Path(json.loads(kdevops("kernel", "build", LAB, "--json"))[0]["image"]).parent
    source = json.loads((artifact / "artifact.json").read_text())["source"]
    tree = place / "linux"
    call(["cp", "-a", "--reflink=auto", source, str(tree)])
    lab = place / "bench.yaml"
    lab.write_text(
        LAB.read_text().replace("package: linux-source-6.1", f"path: {tree}").replace("name: demo", "name: bench")
    )
    kdevops("run", lab, *ONE_GUEST, "--only", TEST)
    facts = json.loads(kdevops("kernel", "show", "--json"))[0]
    objects = build_directory(Path(facts["image"]).parent)
    (objects / "manual").mkdir(exist_ok=True)
    # The very same command: other words for the same compiler would make everything anew.
    log = (objects.parent / "make.log").read_text(errors="replace").splitlines()
    make = next(shlex.split(line[2:]) for line in log if line.startswith("$ make") and line.endswith(" all"))
    run_manually(tree, objects, make)  # both begin warm, and take turns: the machine's other work then troubles both
    ours, manual = [], []
    for _ in range(ROUNDS):
        ours.append(timed(lambda: (change(tree), kdevops("run", lab, *ONE_GUEST, "--only", TEST))))
        manual.append(timed(lambda: run_manually(tree, objects, make)))
    tell("one-line change to verdict : manually", ours, manual)


def run_manually(tree: Path, objects: Path, make: list[str]) -> None:
    """What somebody would do who has the best script for it: make, the same QEMU command line, ssh until it answers."""
    change(tree)
    call(make)
    call(["make", "-s", "-C", str(tree / "tools/testing/selftests/size"), f"OUTPUT={objects}/manual"])
    lab = Path(os.environ["KDEVOPS_STATE"], "labs/bench")
    argv = json.loads((lab / "guests/bench-1/keeper.json").read_text())["argv"]
    argv[argv.index("-kernel") + 1] = str(objects / "arch/x86/boot/bzImage")
    overlay = lab / "guests/bench-1/root.qcow2"
    image = next(Path(os.environ.get("KDEVOPS_CACHE", Path.home() / ".cache/kdevops"), "images").glob("*.raw"))
    call(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image), "-F", "raw", str(overlay)])
    ssh = ["ssh", "-F", str(lab / "ssh_config"), "bench-1"]
    guest = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        while subprocess.run([*ssh, "true"], capture_output=True, check=False).returncode != 0:
            time.sleep(0.1)
        program = (objects / "manual/get_size").read_bytes()
        command = "cat > /tmp/get_size && chmod +x /tmp/get_size && /tmp/get_size"
        subprocess.run([*ssh, command], input=program, capture_output=True, check=True)
    finally:
        guest.kill()
        guest.wait()
        subprocess.run([*ssh, "-O", "exit"], capture_output=True, check=False)


def build_directory(artifact: Path) -> Path:
    return Path(json.loads((artifact / "artifact.json").read_text())["build_directory"])


def change(tree: Path) -> None:
    path = tree / "init/version.c"
    path.write_text(path.read_text() + f"\n/* {time.time_ns()} */\n")


def kdevops(*arguments: str | Path) -> str:
    return call([sys.executable, "-m", "kdevops", *map(str, arguments)])


def call(argv: list[str]) -> str:
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)} answered {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def tell(what: str, ours: list[float], other: list[float]) -> None:
    mine, theirs = statistics.median(ours), statistics.median(other)
    spread = f"{min(ours):.2f}-{max(ours):.2f} s against {min(other):.2f}-{max(other):.2f} s"
    print(f"{what:42} {mine / theirs:6.2f}   (medians {mine:.2f} s and {theirs:.2f} s; {spread})", flush=True)


main()
