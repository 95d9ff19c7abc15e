"""The variant of a kernel, by its .config."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdevops.run.plan.conditions import variant_of


@pytest.mark.parametrize(
    ("config", "variant"),
    [
        ("", ""),
        ("CONFIG_KASAN=y\n", "kasan"),
        ("CONFIG_PROVE_LOCKING=y\nCONFIG_KASAN=y\nCONFIG_EXT4_FS=y\n", "kasan+lockdep"),
        ("# CONFIG_KASAN is not set\nCONFIG_KASAN_GENERIC=y\nCONFIG_KCSAN=m\n", ""),
        ("CONFIG_DEBUG_KMEMLEAK=y\nCONFIG_UBSAN=y\n", "kmemleak+ubsan"),
    ],
)
def test_options_that_make_it_another_kernel_to_test(tmp_path: Path, config: str, variant: str) -> None:
    path = tmp_path / "config"
    path.write_text(config)
    assert variant_of(path) == variant


def test_a_kernel_without_a_config_is_a_plain_one(tmp_path: Path) -> None:
    assert variant_of(None) == variant_of(tmp_path / "none") == ""
