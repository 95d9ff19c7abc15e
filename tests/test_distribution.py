"""Which distribution this is, and what its packages are called."""

import json
from pathlib import Path

import pytest

from kdevops import distribution


def test_the_hint_names_the_package_of_this_distribution(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "controller/vars/commands.json"
    table.parent.mkdir(parents=True)
    names = {
        "controller_commands": {"qemu-img": {"debian": "qemu-utils"}, "odd": {"debian": None}},
        "controller_libraries": {"libelf": {"debian": "libelf-dev"}},
        "controller_optional_commands": {"clang": {"debian": "clang"}, "ld.lld": {"debian": "lld"}},
    }
    table.write_text(json.dumps(names))
    monkeypatch.setattr(distribution, "data_dir", lambda _: tmp_path)
    monkeypatch.setattr(distribution, "distribution_family", lambda: "debian")
    everything = "(or everything at once: kdevops doctor --install)"
    assert distribution.install_hint("qemu-img") == f"install it: apt-get install qemu-utils {everything}"
    assert (
        distribution.install_hint("qemu-img", "libelf")
        == f"install them: apt-get install libelf-dev qemu-utils {everything}"
    )
    assert distribution.install_hint("ld.lld", "clang") == "install them: apt-get install clang lld"
    for unknown in ("bison", "odd"):
        assert "package manager" in distribution.install_hint(unknown)


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("ID=debian\n", "debian"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "debian"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "redhat"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "suse"),
        ("ID=arch\n", "archlinux"),
        ("ID=plan9\n", "unknown"),
        ("", "unknown"),
    ],
)
def test_distribution_families(tmp_path: Path, text: str, family: str) -> None:
    path = tmp_path / "os-release"
    path.write_text(text)
    assert distribution.distribution_family(path) == family
