"""The directories of labs and runs below the state and cache directories."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdevops.paths import cache_dir, state_dir
from kdevops.results.opening import directory_of


@dataclass(frozen=True, slots=True)
class Dirs:
    """`state` holds data that must survive, `cache` data that can be made again."""

    state: Path
    cache: Path

    @classmethod
    def default(cls) -> Dirs:
        """The user's directories."""
        return cls(state_dir(), cache_dir())

    @property
    def labs(self) -> Path:
        """The parent of all labs' directories."""
        return self.state / "labs"

    def lab(self, name: str) -> Path:
        """The lab's directory: keys, guests, inventory, ssh configuration, lock."""
        return self.labs / name

    def inventory(self, name: str) -> Path:
        """The lab's Ansible inventory."""
        return self.lab(name) / "inventory.yaml"

    def run(self, run_id: int) -> Path:
        """The output of a run's tests."""
        return directory_of(self.state) / "runs" / str(run_id)
