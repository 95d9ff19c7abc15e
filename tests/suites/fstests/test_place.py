"""Where fstests is built, and what is told of a machine that cannot."""

from __future__ import annotations

import asyncio
import os
import tarfile
from pathlib import Path

import pytest

from kdevops.errors import CommandError, InfrastructureError
from kdevops.images import bootstrap
from kdevops.lab.model import Image
from kdevops.lab.servers import ROLES
from kdevops.suites.fstests import place
from kdevops.suites.fstests.needs import BuildNeeds, build_needs, guest_needs
from kdevops.suites.fstests.place import Here, InDebian, choose, missing
from tests.support.fstests_toy import make_tree

FAMILIES = ("debian", "redhat", "suse", "archlinux")
NEEDS = BuildNeeds({"make": "make", "gcc": "gcc"}, {"stdio.h": "libc6-dev"})
LACKING = BuildNeeds(NEEDS.commands, {**NEEDS.headers, "no/such.h": "libnone-dev"})
# Does in a directory what mmdebstrap does in a tree; the last word of a hook's line is where it is quoted to.
MMDEBSTRAP = """\
#!/bin/sh
echo "$@" >{calls}
tree=$(mktemp -d) || exit 1
for word; do
    case $word in
        --customize-hook=tar-in*) set -- $word; tar -C $tree$3 -xf $2 || exit 1 ;;
        --customize-hook=tar-out*) set -- $word; tar -C $tree -cf $3 build || exit 1 ;;
        --customize-hook=chroot*) (cd $tree/build && {make}) || exit 1 ;;
        --customize-hook=*) sh -c "${{word#*=}}" sh $tree || exit 1 ;;
    esac
done
rm -r $tree
"""


@pytest.fixture
def bookworm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with Debian bookworm that has all it takes."""
    monkeypatch.setattr(place, "_release", lambda: "bookworm")
    monkeypatch.setattr(place, "build_needs", lambda family: NEEDS)


@pytest.mark.usefixtures("bookworm")
def test_the_guests_own_release_is_built_for_here() -> None:
    chosen = asyncio.run(choose(Image()))
    assert isinstance(chosen, Here)
    assert chosen.fits


@pytest.mark.usefixtures("bookworm")
def test_whether_it_fits_unknown_guests_is_not_known() -> None:
    assert not asyncio.run(choose(Image(path=Path("some.qcow2")))).fits


@pytest.mark.usefixtures("bookworm")
def test_another_release_is_built_for_in_a_tree_of_it() -> None:
    older, newer = (asyncio.run(choose(Image(suite=suite))) for suite in ("bullseye", "trixie"))
    assert isinstance(newer, InDebian)
    assert newer.suite == "trixie"
    assert older.key != newer.key


@pytest.mark.usefixtures("bookworm")
def test_what_is_missing_here_is_in_a_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "build_needs", lambda family: LACKING)
    chosen = asyncio.run(choose(Image()))
    assert isinstance(chosen, InDebian)
    assert "libnone-dev" in chosen.packages


@pytest.mark.usefixtures("bookworm")
def test_for_unknown_guests_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "build_needs", lambda family: LACKING)
    with pytest.raises(InfrastructureError, match=r"needed to build fstests: no/such\.h") as caught:
        asyncio.run(choose(Image(path=Path("some.qcow2"))))
    assert "libnone-dev" in str(caught.value.hint)


def test_missing_names_commands_and_headers() -> None:
    needs = BuildNeeds({"no-such-command": "a", "sh": "b"}, {"no-such.h": "c", "stdio.h": "d"})
    assert asyncio.run(missing(needs)) == {"no-such-command": "a", "no-such.h": "c"}


class TestInATree:
    @pytest.fixture(autouse=True)
    def _tools(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        async def mode() -> str:
            return "root"

        self.bin = tmp_path / "bin"
        self.bin.mkdir()
        self.calls = tmp_path / "calls"
        self.mmdebstrap("make -s")
        monkeypatch.setattr(bootstrap, "_mode", mode)
        monkeypatch.setattr(bootstrap, "tool_path", lambda: f"{self.bin}:{os.environ['PATH']}")
        monkeypatch.setenv("PATH", f"{self.bin}:{os.environ['PATH']}")
        self.tree = make_tree(tmp_path / "work/tree")

    def mmdebstrap(self, make: str) -> None:
        tool = self.bin / "mmdebstrap"
        tool.write_text(MMDEBSTRAP.format(calls=self.calls, make=make))
        tool.chmod(0o755)

    def make(self, log: Path) -> None:
        chosen = InDebian("trixie", None, ("gcc", "make"))
        asyncio.run(chosen.make(self.tree, log=log, on_line=lambda line: None))

    def test_the_tree_comes_back_built(self, tmp_path: Path) -> None:
        self.make(tmp_path / "log")
        assert os.access(self.tree / "src/toy", os.X_OK)
        assert list(self.tree.parent.iterdir()) == [self.tree]
        call = self.calls.read_text()
        assert "--include=gcc,make" in call
        assert "--format=null" in call
        assert " -- trixie /dev/null" in call

    def test_a_failed_make_says_what_make_said(self, tmp_path: Path) -> None:
        self.mmdebstrap("echo 'src/toy.c:1:1: error: no' >&2; false")
        with pytest.raises(CommandError) as caught:
            self.make(tmp_path / "log")
        assert "src/toy.c:1:1: error: no" in caught.value.output

    def test_paths_are_quoted(self, tmp_path: Path) -> None:
        self.tree = make_tree(tmp_path / "a place/tree")
        with pytest.raises(CommandError):
            self.make(tmp_path / "log")
        assert f"tar-in '{self.tree.with_name('source.tar')}' /build" in self.calls.read_text()
        with tarfile.open(self.tree.with_name("source.tar")) as archive:
            assert "./check" in archive.getnames()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_packages_for_the_same_needs(family: str) -> None:
    needs, debian = build_needs(family), build_needs("debian")
    assert needs.commands.keys() == debian.commands.keys()
    databases = {"gdbm-ndbm.h", "ndbm.h"}  # one interface, two names
    assert needs.headers.keys() - databases == debian.headers.keys() - databases
    assert all(needs.packages)
    guest = guest_needs(["nfs", "cifs", "xfs"], family)
    assert {"fsgqa", "fsgqa2", "123456-fsgqa"} == set(guest.users)
    assert {"xfsprogs", "fio", "cifs-utils"} <= set(guest.packages)
    assert "cifs-utils" not in guest_needs(family=family).packages


def test_an_unknown_family_can_still_be_looked_at() -> None:
    assert build_needs("plan9").headers.keys() == build_needs("debian").headers.keys()
    assert build_needs("plan9").packages == ()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("role", ROLES)
def test_every_family_has_packages_for_every_server(family: str, role: str) -> None:
    added = {*guest_needs(family=family, servers=[role]).packages} - {*guest_needs(family=family).packages}
    assert any(("nfs" if role == "nfsd" else "samba") in package for package in added)
