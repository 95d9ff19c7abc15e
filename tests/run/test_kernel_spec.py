"""Which fragments a lab's machines bring with them."""

from __future__ import annotations

from typing import Any

import pytest

from kdevops.kernel.config import FRAGMENTS
from kdevops.lab.model import Lab
from kdevops.run.guests.kinds import kind_of
from kdevops.run.kernel_spec import spec_of


@pytest.mark.parametrize(
    ("provider", "needed"),
    [
        ({"type": "qemu"}, ()),
        ({"type": "vagrant"}, ()),
        ({"type": "vagrant", "disk_bus": "nvme"}, ("nvme",)),
        ({"type": "vagrant", "box": "debian/bookworm64"}, ("box",)),
        ({"type": "vagrant", "backend": "virtualbox"}, ("virtualbox",)),
        ({"type": "vagrant", "backend": "virtualbox", "box": "debian/bookworm64"}, ("box", "virtualbox")),
        ({"type": "terraform", "cloud": "aws"}, ("box", "cloud")),
        ({"type": "terraform", "module": "."}, ()),
        ({"type": "hosts", "hosts": [{"address": "192.0.2.1"}]}, ()),
    ],
)
def test_machines_bring_what_they_need(provider: dict[str, Any], needed: tuple[str, ...]) -> None:
    kernel = {"config": {"fragments": ["debug"]}}
    lab = Lab.model_validate({"name": "demo", "provider": provider, "kernel": kernel})
    assert kind_of(lab).fragments(lab) == needed
    assert set(needed) <= set(FRAGMENTS)
    assert spec_of(lab.kernel, needed).config.fragments == (*needed, "debug"), "the user's own have the last word"
