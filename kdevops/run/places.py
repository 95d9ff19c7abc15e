"""Where a lab's things are kept: names of directories below the state and the cache, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdevops.paths import cache_dir, state_dir


@dataclass(frozen=True, slots=True)
class Places:
    """`state` holds what must survive, `cache` what can be made again."""

    state: Path
    cache: Path

    @classmethod
    def default(cls) -> Places:
        """The user's own."""
        return cls(state_dir(), cache_dir())

    @property
    def labs(self) -> Path:
        """Where every lab has its directory."""
        return self.state / "labs"

    def lab(self, name: str) -> Path:
        """The lab's directory: keys, guests, inventory, ssh configuration, lock."""
        return self.labs / name

    def inventory(self, name: str) -> Path:
        """The lab's Ansible inventory."""
        return self.lab(name) / "inventory.yaml"

    def run(self, run_id: int) -> Path:
        """What a run's tests printed."""
        return self.state / "runs" / str(run_id)
