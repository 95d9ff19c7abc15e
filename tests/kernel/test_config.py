from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from kdevops.errors import UserError
from kdevops.kernel import config as module
from kdevops.kernel.config import plan_config
from kdevops.kernel.options import parse_config
from kdevops.kernel.spec import Asked, BuildSpec, ConfigSpec, SourceSpec
from kdevops.kernel.toolchain import architecture
from tests.fakelinux import make_tree
from tests.kernel.conftest import Builder

HERE = SourceSpec("path", ".")


def plan(**config: object) -> module.ConfigPlan:
    return plan_config(BuildSpec(HERE, config=ConfigSpec(**config)), architecture("x86_64"))  # type: ignore[arg-type]


def test_lost_options_are_named_with_asker_and_reason(toy: Path, build_toy: Builder) -> None:
    asked = (Asked("suite selftests", {"TOY_CHILD": "y", "TOY_HIDDEN": "y"}), Asked("suite kunit", {"NO_SUCH": "m"}))
    with pytest.raises(UserError) as caught:
        build_toy(toy, asked=asked)
    assert caught.value.message.splitlines()[1:] == [
        (
            "  CONFIG_TOY_CHILD: suite selftests wants y, it is n: depends on TOY_PARENT; "
            "TOY_PARENT off in the resulting configuration"
        ),
        "  CONFIG_TOY_HIDDEN: suite selftests wants y, it is n: it cannot be set directly: only other options select it",
        "  CONFIG_NO_SUCH: suite kunit wants m, it is n: no such symbol in this tree",
    ]


def test_lost_optional_options_are_warnings_also_from_the_cache(toy: Path, build_toy: Builder) -> None:
    config = ConfigSpec(optional=("CONFIG_TOY_CHILD=y",))
    for _ in range(2):
        (warning,) = build_toy(toy, config=config).record["warnings"]
        assert warning.startswith("CONFIG_TOY_CHILD: config: optional wants y, it is n")


def test_what_was_asked_for_is_in_the_configuration(toy: Path, build_toy: Builder, tmp_path: Path) -> None:
    (tmp_path / "mine.config").write_text("CONFIG_TOY_PARENT=y\n")
    config = ConfigSpec(fragments=("lockdep", str(tmp_path / "mine.config")), options=("CONFIG_NR_CPUS=8",))
    artifact = build_toy(toy, config=config, asked=(Asked("s", {"TOY_CHILD": "y"}),))
    assert artifact.config
    found = parse_config(artifact.config.read_text())
    wanted = {"TOY_PARENT": "y", "TOY_CHILD": "y", "PROVE_LOCKING": "y", "NR_CPUS": "8", "VIRTIO_BLK": "y"}
    assert {symbol: found[symbol] for symbol in wanted} == wanted


@pytest.mark.parametrize("base", ["lean", "defconfig", "distro", "file"])
def test_every_base_can_boot_in_a_guest(
    base: str, toy: Path, build_toy: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("CONFIG_TOY_PARENT=y\n")
    (tmp_path / "distro.gz").write_bytes(
        gzip.compress(b'CONFIG_TOY_PARENT=y\nCONFIG_SYSTEM_TRUSTED_KEYS="certs/x.pem"\n')
    )
    monkeypatch.setattr(module, "_DISTRO_CONFIGS", (tmp_path / "absent", tmp_path / "distro.gz"))
    artifact = build_toy(toy, config=ConfigSpec(base=str(tmp_path / "file") if base == "file" else base))
    assert artifact.config
    found = parse_config(artifact.config.read_text())
    assert found["VIRTIO_BLK"] == found["EXT4_FS"] == "y"
    assert found["TOY_PARENT"] == ("y" if base in {"distro", "file"} else "n")
    assert found["TOYFS"] == ("n" if base == "lean" else "y")


@pytest.mark.parametrize(
    ("config", "said", "hint"),
    [
        ({"base": "leen"}, "no base configuration 'leen'", "did you mean lean"),
        ({"base": "/no/such"}, "no base configuration", "known: lean, defconfig, distro"),
        ({"fragments": ("kasn",)}, "no configuration fragment 'kasn'", "did you mean kasan"),
        ({"fragments": ("/no/such",)}, "no configuration fragment", "known: box, cloud, debug"),
        ({"options": ("CONFIG_A",)}, "config: options, line 1: 'CONFIG_A' is not a kernel option", "for example"),
    ],
)
def test_bad_names_and_lines(config: dict[str, object], said: str, hint: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        plan(**config)
    assert hint in str(caught.value.hint)


def test_a_machine_that_does_not_tell_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DISTRO_CONFIGS", (Path("/no/such"),))
    with pytest.raises(UserError, match="cannot find the configuration"):
        plan(base="distro")


def test_the_keys_of_two_plans_differ_with_what_they_ask() -> None:
    keys = [plan(), plan(base="defconfig"), plan(options=("CONFIG_A=y",)), plan(optional=("CONFIG_A=y",))]
    assert len({one.key for one in keys}) == len(keys)
    assert plan().key == plan().key


def test_a_changed_kconfig_is_seen(toy: Path, build_toy: Builder) -> None:
    build_toy(toy, "CONFIG_TOY_PARENT=y")
    text = (toy / "Kconfig").read_text()
    (toy / "Kconfig").write_text(text.replace("TOY_PARENT", "TOY_RENAMED"))
    with pytest.raises(UserError, match="CONFIG_TOY_PARENT: config: options wants y, it is n: no such symbol"):
        build_toy(toy, "CONFIG_TOY_PARENT=y")


def test_a_broken_kconfig_is_told_with_its_line(tmp_path: Path, build_toy: Builder) -> None:
    with pytest.raises(UserError, match=r'fs/Kconfig:2: unknown statement "boolean_typo"'):
        build_toy(make_tree(tmp_path / "linux", kconfig_error=True))
