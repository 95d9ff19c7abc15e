import json
from pathlib import Path
from typing import Any

import pytest

from kdevops.__main__ import main
from kdevops.images import box as box_module
from kdevops.images.box import Box
from kdevops.images.needs import GuestNeeds
from kdevops.lab.model import Image

KEY = "0123456789abcdef" * 2


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Image, GuestNeeds, str]]:
    """What boxes were asked for; each is made at once."""
    calls = []

    async def ensure(image: Image, needs: GuestNeeds, provider: Any, **_: Any) -> Box:
        calls.append((image, needs, provider))
        path = tmp_path / f"{KEY}-{provider}.box"
        path.write_bytes(b"box")
        path.chmod(0o444)
        return Box(path, KEY, f"kdevops/bookworm-{KEY[:12]}", provider, {"kind": "box"})

    monkeypatch.setattr(box_module, "ensure_box", ensure)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KDEVOPS_LAB", raising=False)
    Path("lab.yaml").write_text("name: x\n")
    return calls


def test_a_box_and_how_to_add_it(asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "box", "--set", "guests.image.suite=trixie"]) == 0
    ((image, needs, provider),) = asked
    assert (image.suite, needs, provider) == ("trixie", GuestNeeds(), "libvirt")
    told = capsys.readouterr().out
    path = tmp_path / f"{KEY}-libvirt.box"
    assert f"vagrant box add --name kdevops/bookworm-0123456789ab --provider libvirt {path}\n" in told
    assert KEY in told


def test_what_suites_need_is_in_it(asked: list[Any]) -> None:
    Path("lab.yaml").write_text(
        "name: x\nguests: {disks: [{size: 4GiB, count: 2}]}\nsuites: {fstests: {profiles: [xfs_crc]}}\n"
    )
    assert main(["image", "box"]) == 0
    assert "fsgqa" in asked[0][1].users


@pytest.mark.parametrize(
    ("lab", "options", "provider"),
    [
        ("provider: {type: vagrant, backend: virtualbox}", [], "virtualbox"),
        ("provider: {type: vagrant, backend: virtualbox}", ["--provider", "libvirt"], "libvirt"),
        ("provider: {type: qemu}", [], "libvirt"),
    ],
)
def test_the_provider_is_the_labs(asked: list[Any], lab: str, options: list[str], provider: str) -> None:
    Path("lab.yaml").write_text(f"name: x\n{lab}\n")
    assert main(["image", "box", *options]) == 0
    assert asked[0][2] == provider


def test_a_copy_where_it_is_wanted(asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("my box.box").write_bytes(b"an older one")
    assert main(["image", "box", "--output", "my box.box", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["path"] == str(tmp_path / "my box.box")
    assert data["add"].endswith(f" '{tmp_path}/my box.box'")
    assert (data["key"], data["provider"], data["record"]) == (KEY, "libvirt", {"kind": "box"})
    assert Path("my box.box").read_bytes() == b"box"
    assert Path("my box.box").stat().st_mode & 0o200
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{KEY}-libvirt.box", "lab.yaml", "my box.box"]


def test_a_copy_that_cannot_be_written(asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "box", "--output", "nowhere/x.box"]) == 2
    assert "nowhere/x.box cannot be written: No such file or directory" in capsys.readouterr().err
