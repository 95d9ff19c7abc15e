"""Making an image with a stand-in for mmdebstrap, so that everything after the download is real."""

import asyncio
import contextlib
import json
import os
import shutil
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError, UserError
from kdevops.images import bootstrap, store
from kdevops.images.debian import recipe_key, unpack_debian
from kdevops.images.disk import tool_path
from kdevops.images.image import BaseImage, ensure_image
from kdevops.images.needs import NOTHING, GuestNeeds
from kdevops.lab.model import Image
from kdevops.progress import Progress, silent
from tests.support.killed import kill_when

SMALL = Image(size=64 << 20)
STATUS = "Package: bash\nStatus: install ok installed\nVersion: 5.2\n\nPackage: apt\nVersion: 2.6.1\nDescription: x\n"
# The last argument but the mirrors is the target: it stands after "-- SUITE".
MMDEBSTRAP = f"""\
#!/bin/sh
echo "$@" >>{{calls}}
while [ "$1" != -- ]; do shift; done
target=$3
{{extra}}
tree=$(mktemp -d) || exit 1
mkdir -p $tree/var/lib/dpkg $tree/usr/bin $tree/usr/sbin
printf '{STATUS.encode("unicode_escape").decode()}' >$tree/var/lib/dpkg/status
echo static >$tree/usr/bin/busybox
echo 'I: creating tarball...' >&2
tar -C $tree -cf $target .
rm -r $tree
"""


class Bench:
    """A cache, and an mmdebstrap that does what a test says."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cache = tmp_path / "cache"
        self.calls = tmp_path / "calls"
        self.bin = tmp_path / "bin"
        self.bin.mkdir()
        self.news: list[Progress] = []
        self.memory = tmp_path / "shm"
        self.memory.mkdir()
        monkeypatch.setattr(store, "SHARED_MEMORY", self.memory)
        monkeypatch.setenv("PATH", f"{self.bin}:{tool_path()}")
        self.mmdebstrap()

    def mmdebstrap(self, extra: str = "") -> None:
        tool = self.bin / "mmdebstrap"
        tool.write_text(MMDEBSTRAP.format(calls=self.calls, extra=extra))
        tool.chmod(0o755)

    def ensure(self, image: Image = SMALL, needs: GuestNeeds = NOTHING) -> BaseImage:
        return asyncio.run(ensure_image(image, needs, cache=self.cache, report=self.news.append))

    def made(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0

    def leftovers(self) -> list[Path]:
        return [*self.memory.iterdir(), *(self.cache / "images").glob(".*.new")]


async def _unshare() -> str:
    return "unshare"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    if os.geteuid() != 0:
        monkeypatch.setattr(bootstrap, "_mode", _unshare)
    return Bench(tmp_path, monkeypatch)


def test_an_image_is_made_once(bench: Bench) -> None:
    image = bench.ensure()
    assert image.path == bench.cache / "images" / f"{image.key}.raw"
    assert image.format == "raw"
    assert image.root == f"PARTUUID={image.key[:8]}-01"
    assert image.init == "/sbin/kdevops-init"
    assert image.record["packages"] == {"apt": "2.6.1", "bash": "5.2"}
    assert len(image.record["sha256"]) == 64
    assert image.path.stat().st_mode & 0o777 == 0o444
    assert image.busybox
    assert image.busybox.read_text() == "static\n"
    assert bench.ensure() == image
    assert bench.made() == 1
    assert not bench.leftovers()
    assert bench.news[-1].done


@pytest.mark.parametrize(
    "other",
    [
        Image(size=65 << 20),
        Image(size=64 << 20, suite="trixie"),
        Image(size=64 << 20, packages=("fio",)),
        Image(size=64 << 20, init="systemd"),
        Image(size=64 << 20, mirror="http://mirror/debian"),
    ],
)
def test_every_part_of_the_recipe_counts(bench: Bench, other: Image) -> None:
    assert bench.ensure().key != bench.ensure(other).key
    assert bench.made() == 2


def test_what_suites_need_is_in_the_image_and_in_its_key(bench: Bench) -> None:
    packages = GuestNeeds(packages=("fio",))
    both = GuestNeeds(("fio",), ("fsgqa", "123456-fsgqa"))
    keys = {bench.ensure(SMALL, needs).key for needs in (NOTHING, packages, both)}
    assert len(keys) == 3
    assert bench.ensure(Image(size=64 << 20, packages=("fio",))).key == bench.ensure(SMALL, packages).key
    call = bench.calls.read_text().splitlines()[-1]
    assert ",fio," in call
    for name in both.users:
        assert (
            f'--customize-hook=chroot "$1" useradd --badname --create-home --user-group --shell /bin/bash -- {name}'
            in call
        )


def test_users_of_suites_leave_a_hook_its_user_ids(bench: Bench) -> None:
    """A box's user has the id that useradd gives first, and suites with users of their own could have no box."""
    needs = GuestNeeds(users=("fsgqa",))
    log, target = bench.calls.with_name("log"), bench.calls.with_name("tree.tar")
    made = unpack_debian(SMALL, needs, (), target, hooks=["own"], log=log, report=silent)
    asyncio.run(made)
    call = bench.calls.read_text().splitlines()[-1]
    assert call.index("--customize-hook=own") < call.index("-- fsgqa")


def test_a_package_of_a_suite_that_debian_lacks(bench: Bench) -> None:
    bench.mmdebstrap('echo "E: Unable to locate package dbench" >&2; exit 25')
    with pytest.raises(
        InfrastructureError, match="suites of this lab need the package dbench, which Debian bookworm lacks"
    ):
        bench.ensure(SMALL, GuestNeeds(packages=("dbench",)))


def test_systemd_is_found_by_the_kernel_itself(bench: Bench) -> None:
    image = bench.ensure(Image(size=64 << 20, init="systemd"))
    assert image.init is None
    assert "systemd-sysv" in bench.calls.read_text()


def test_two_labs_that_want_the_same_image_wait_for_each_other(bench: Bench) -> None:
    bench.mmdebstrap("sleep 0.3")

    async def both() -> list[BaseImage]:
        work = [ensure_image(SMALL, cache=bench.cache, report=bench.news.append) for _ in range(2)]
        return await asyncio.gather(*work)

    first, second = asyncio.run(both())
    assert first == second
    assert bench.made() == 1
    assert any("waiting" in news.detail for news in bench.news)


def test_sweeping_leaves_the_work_of_another_cache_alone(bench: Bench, tmp_path: Path) -> None:
    bench.mmdebstrap("sleep 0.3")
    caches = (tmp_path / "one", tmp_path / "two")
    (caches[1] / "images" / f".{recipe_key(SMALL, NOTHING)}.new").mkdir(parents=True)

    async def both() -> None:
        first = asyncio.create_task(ensure_image(SMALL, cache=caches[0]))
        while not bench.calls.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        await asyncio.gather(first, ensure_image(SMALL, cache=caches[1]))

    asyncio.run(both())
    assert bench.made() == 2


def test_sigkill_leaves_nothing_that_is_taken_for_whole(bench: Bench) -> None:
    started = bench.cache.parent / "started"
    bench.mmdebstrap(f"touch {started}; exec sleep 600")
    script = f"""
        import asyncio
        from pathlib import Path
        from kdevops.images import store
        from kdevops.images.image import ensure_image
        from kdevops.lab.model import Image
        store.SHARED_MEMORY = Path({str(bench.memory)!r})
        asyncio.run(ensure_image(Image(size=64 << 20), cache=Path({str(bench.cache)!r})))
    """
    kill_when(started, script)
    assert bench.leftovers()
    assert not list((bench.cache / "images").glob("*.raw"))
    bench.mmdebstrap()
    # Another image sweeps, too.
    bench.ensure(Image(size=65 << 20))
    assert not bench.leftovers()
    bench.ensure()
    assert bench.made() == 3


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ("E: Unable to locate package fioo", UserError, "image.packages: Debian bookworm has no package fioo"),
        ("E: The repository 'x' does not have a Release file.", UserError, "no Debian bookworm"),
        ("tar: x: Cannot write: No space left on device", InfrastructureError, "disk full"),
        ("E: Failed to fetch http://x\nE: apt-get update failed", InfrastructureError, "Failed to fetch http://x"),
    ],
)
def test_what_mmdebstrap_says_is_told_in_prose(bench: Bench, said: str, error: type[Exception], message: str) -> None:
    bench.mmdebstrap(f'echo "{said}" >&2; exit 25')
    with pytest.raises(error, match=message) as caught:
        bench.ensure()
    assert not bench.leftovers()
    log = caught.value.log  # type: ignore[attr-defined]
    assert said.splitlines()[0] in log.read_text()


def test_mmdebstrap_missing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.bin / "mmdebstrap").unlink()
    for tool in ("unshare", "true"):
        (bench.bin / tool).symlink_to(shutil.which(tool) or "")
    monkeypatch.setenv("PATH", str(bench.bin))
    monkeypatch.setattr("kdevops.images.bootstrap.tool_path", lambda: str(bench.bin))
    with pytest.raises(InfrastructureError, match="mmdebstrap is not installed") as caught:
        bench.ensure()
    assert "install" in str(caught.value.hint)


def test_what_is_no_package_name_never_reaches_a_command(bench: Bench) -> None:
    with pytest.raises(UserError, match="not a Debian package name"):
        bench.ensure(Image(size=64 << 20, packages=("fio --setup-hook=x",)))
    assert bench.made() == 0


def test_a_mirror_is_no_option(bench: Bench) -> None:
    bench.ensure(Image(size=64 << 20, mirror="--setup-hook=x"))
    words = bench.calls.read_text().split()
    assert words.index("--") < words.index("--setup-hook=x")


def test_a_cache_that_cannot_be_written(bench: Bench) -> None:
    bench.cache.write_text("a file")
    with pytest.raises(InfrastructureError, match="cannot write the image cache"):
        bench.ensure()


def test_cancelling_stops_the_work_and_cleans_up(bench: Bench) -> None:
    started = bench.cache.parent / "started"
    bench.mmdebstrap(f"touch {started}; exec sleep 600")

    async def cancelled() -> None:
        task = asyncio.create_task(ensure_image(SMALL, cache=bench.cache))
        while not started.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert not bench.leftovers()


def test_the_record_can_be_stored_as_json(bench: Bench) -> None:
    assert json.loads(json.dumps(bench.ensure().record))["suite"] == "bookworm"


class TestWithoutRoot:
    """What a user without root is told about their machine before mmdebstrap starts."""

    @pytest.fixture(autouse=True)
    def _machine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.table = tmp_path / "subuid"
        self.table.write_text("someone:100000:65536\n")
        self.bin = tmp_path / "bin"
        self.bin.mkdir()
        self.tool("newuidmap")
        self.tool("unshare")
        monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 1000)
        monkeypatch.setattr(bootstrap.getpass, "getuser", lambda: "someone")
        monkeypatch.setattr(bootstrap, "ID_TABLES", (self.table,))
        monkeypatch.setattr(bootstrap, "tool_path", lambda: str(self.bin))
        monkeypatch.setenv("PATH", f"{self.bin}:{tool_path()}")

    def tool(self, name: str, exit_code: int = 0) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\nexit {exit_code}\n")
        path.chmod(0o755)

    def mode(self) -> str:
        return asyncio.run(bootstrap._mode())

    def test_all_is_there(self) -> None:
        assert self.mode() == "unshare"

    def test_newuidmap_missing(self) -> None:
        (self.bin / "newuidmap").unlink()
        with pytest.raises(InfrastructureError, match="newuidmap is not installed") as caught:
            self.mode()
        assert "install" in str(caught.value.hint)

    @pytest.mark.parametrize("content", ["", "other:100000:65536\n"])
    def test_no_range_of_ids(self, content: str) -> None:
        self.table.write_text(content)
        with pytest.raises(InfrastructureError, match="has no id range for someone") as caught:
            self.mode()
        assert "usermod --add-subuids" in str(caught.value.hint)

    def test_user_namespaces_forbidden(self) -> None:
        self.tool("unshare", exit_code=1)
        with pytest.raises(InfrastructureError, match="users may not create user namespaces") as caught:
            self.mode()
        assert "sysctl" in str(caught.value.hint)
