from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError, UserError
from kdevops.kernel.artifact import Artifact, artifacts
from kdevops.kernel.spec import SourceSpec
from tests.kernel.conftest import Builder


def test_an_artifact_may_be_moved(toy: Path, build_toy: Builder, tmp_path: Path) -> None:
    built = build_toy(toy, "CONFIG_TOY_MODULE=m")
    moved = Artifact.load(built.directory.rename(tmp_path / "elsewhere"))
    assert moved
    assert moved.build_id == built.build_id
    for path in (moved.image, moved.vmlinux, moved.config, moved.modules):
        assert path
        assert path.is_file()
        assert path.parent == tmp_path / "elsewhere"


def test_all_are_listed_the_damaged_are_not(toy: Path, build_toy: Builder, cache: Path) -> None:
    assert artifacts(cache) == []
    first, second = build_toy(toy), build_toy(toy, "CONFIG_TOY_PARENT=y")
    (cache / "kernels/.half.tmp").mkdir()
    assert artifacts(cache) == [second, first]
    (first.directory / "artifact.json").write_text("{")
    assert artifacts(cache) == [second]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": 1, "sauce": 2}'])
def test_damage_is_told(toy: Path, build_toy: Builder, text: str) -> None:
    built = build_toy(toy)
    (built.directory / "artifact.json").write_text(text)
    with pytest.raises(InfrastructureError, match="is damaged") as caught:
        build_toy(toy)
    assert f"remove {built.directory}" in str(caught.value.hint)


def test_a_lost_image_is_told(toy: Path, build_toy: Builder) -> None:
    build_toy(toy).image.unlink()
    with pytest.raises(InfrastructureError, match="is gone"):
        build_toy(toy)


def test_json_is_plain(toy: Path, build_toy: Builder) -> None:
    data = json.loads(build_toy(toy).to_json())
    assert data["image"] in {"bzImage", "Image"}
    assert data["record"]["spec"]["source"]["kind"] == "path"


def test_a_prebuilt_kernel_is_used_where_it_is(toy: Path, build_toy: Builder) -> None:
    built = build_toy(toy)
    found = build_toy(SourceSpec("prebuilt", str(built.image)))
    assert (found.image, found.release, found.build_id) == (built.image, built.release, None)
    assert found.config == built.config
    assert built.build_directory
    (in_tree,) = built.build_directory.glob("arch/*/boot/*mage")
    found = build_toy(SourceSpec("prebuilt", str(in_tree)))
    assert found.build_id == built.build_id
    assert found.config == built.build_directory / ".config"
    found.config.touch()  # configured anew since
    assert build_toy(SourceSpec("prebuilt", str(in_tree))).config is None


def test_a_prebuilt_kernel_of_boot_has_its_configuration_beside_it(
    toy: Path, build_toy: Builder, tmp_path: Path
) -> None:
    built = build_toy(toy)
    image = built.image.rename(tmp_path / f"vmlinuz-{built.release}")
    assert build_toy(SourceSpec("prebuilt", str(image))).config is None
    (tmp_path / f"config-{built.release}").write_text("CONFIG_TOY=y\n")
    assert build_toy(SourceSpec("prebuilt", str(image))).config == tmp_path / f"config-{built.release}"
    other = image.rename(tmp_path / "bzImage")
    assert build_toy(SourceSpec("prebuilt", str(other))).config is None, "it may be anything's"


@pytest.mark.parametrize(
    ("content", "said", "hint"),
    [(None, "does not exist", "None"), (b"\x7fELF", "not a bootable", "bzImage"), (b"", "not a bootable", "None")],
)
def test_what_is_no_prebuilt_kernel(
    tmp_path: Path, build_toy: Builder, content: bytes | None, said: str, hint: str
) -> None:
    if content is not None:
        (tmp_path / "image").write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        build_toy(SourceSpec("prebuilt", str(tmp_path / "image")))
    assert hint in str(caught.value.hint)
