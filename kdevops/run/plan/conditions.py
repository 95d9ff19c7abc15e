"""The conditions of what was built, for the record of a run (see `kdevops.results.baselines.conditions`)."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path

import yaml

from kdevops.results.baselines.conditions import SERIES, Conditions
from kdevops.run.built import Built

_DATA = Path(__file__).with_name("variants.yaml")


def conditions_of(built: Built) -> Conditions:
    """Those of the kernel and the suites of a run that is about to be planned."""
    series = {suite.name: str(suite.record[SERIES]) for suite in built.suites if suite.record.get(SERIES)}
    return Conditions(platform.machine(), variant_of(built.artifact.config), series)


def variant_of(config: Path | None) -> str:
    """What a kernel with this .config is called besides its release: "kasan+lockdep", "" for one without such options."""
    if config is None or not config.is_file():
        return ""
    found = set(re.findall(r"^CONFIG_(\w+)=y$", config.read_text(errors="replace"), re.MULTILINE))
    return "+".join(sorted(name for name, option in _variants().items() if option in found))


@cache
def _variants() -> dict[str, str]:
    variants: dict[str, str] = yaml.safe_load(_DATA.read_text())
    return variants
