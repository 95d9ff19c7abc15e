"""The list of clouds: the directories of `terraform/` that have a cloud.yaml. It needs only the standard library."""

from __future__ import annotations

from pathlib import Path

from kdevops.paths import data_dir

FACTS = "cloud.yaml"
"""The file that makes a directory of `terraform/` a cloud; `kdevops.lab.cloud` reads it."""


def cloud_directory(cloud: str) -> Path:
    """The directory of a cloud: its module, with its facts beside it."""
    return data_dir("terraform") / cloud


def cloud_names() -> tuple[str, ...]:
    """The clouds as lab files name them, sorted."""
    return tuple(sorted(path.parent.name for path in data_dir("terraform").glob(f"*/{FACTS}")))
