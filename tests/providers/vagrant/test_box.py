"""What is found of a box in the directories that Vagrant keeps."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kdevops.providers.vagrant.box import present, volumes

SIMPLE = {"provider": "libvirt", "format": "qcow2", "virtual_size": 4}


@pytest.fixture
def boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    return tmp_path / "boxes"


def add(place: Path, *images: str, **metadata: object) -> None:
    place.mkdir(parents=True)
    (place / "metadata.json").write_text(json.dumps({**SIMPLE, **metadata}))
    for image in images or ("box.img",):
        (place / image).parent.mkdir(exist_ok=True)
        (place / image).write_bytes(b"12345")
        os.utime(place / image, (1700000000.7, 1700000000.7))


def test_the_copies_of_a_box_have_the_names_that_the_plugin_gives_them(boxes: Path) -> None:
    add(boxes / "kdevops-VAGRANTSLASH-one/0/libvirt")
    add(boxes / "debian-VAGRANTSLASH-sid/12.1/libvirt")
    add(boxes / "debian-VAGRANTSLASH-sid/12.2/amd64/libvirt")
    add(boxes / "debian-VAGRANTSLASH-sid/12.2/amd64/virtualbox")
    assert volumes("kdevops/one") == {"kdevops-VAGRANTSLASH-one_vagrant_box_image_0_1700000000_box.img": 5}
    name = "debian-VAGRANTSLASH-sid_vagrant_box_image_{}_box.img"
    assert volumes("debian/sid") == {name.format("12.1"): 5, name.format("12.2"): 5}
    assert volumes("debian/other") == {}


def test_a_box_of_several_disks(boxes: Path) -> None:
    add(
        boxes / "many/1/libvirt",
        "a/root.img",
        "b.img",
        disks=[{"path": "a/root.img"}, {"path": "b.img", "name": "x/y"}],
    )
    assert volumes("many") == {
        "many_vagrant_box_image_1_a-SLASH-root.img": 5,
        "many_vagrant_box_image_1_x-SLASH-y.img": 5,
    }


@pytest.mark.parametrize("metadata", ["", "[]", '{"disks": 1}', '{"disks": [1]}', '{"disks": [{}]}'])
def test_a_broken_box_has_none(boxes: Path, metadata: str) -> None:
    add(boxes / "one/0/libvirt")
    (boxes / "one/0/libvirt/metadata.json").write_text(metadata)
    assert volumes("one") == {}


@pytest.mark.parametrize(
    ("provider", "version", "there"),
    [
        ("libvirt", None, True),
        ("virtualbox", None, True),
        ("other", None, False),
        ("libvirt", "12.1", True),
        ("libvirt", "= 12.1", True),
        ("libvirt", "12.2", False),
        ("virtualbox", "12.2", True),
        ("virtualbox", "12.1", False),
    ],
)
def test_whether_a_box_was_added(boxes: Path, provider: str, version: str | None, there: bool) -> None:
    add(boxes / "debian-VAGRANTSLASH-sid/12.1/libvirt")
    add(boxes / "debian-VAGRANTSLASH-sid/12.2/amd64/virtualbox")
    assert present("debian/sid", provider, version) is there
    assert not present("debian/other", provider, version)


@pytest.mark.parametrize("version", [">= 12", "~> 12.0, < 13"])
def test_what_versions_would_do_only_vagrant_says(boxes: Path, version: str) -> None:
    """It is left to `vagrant up` where any is there."""
    assert not present("debian/sid", "libvirt", version)
    add(boxes / "debian-VAGRANTSLASH-sid/12.1/libvirt")
    assert present("debian/sid", "libvirt", version)
