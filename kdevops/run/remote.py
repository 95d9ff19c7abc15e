"""The provider of guests that are machines elsewhere: in a cloud, or in somebody's rack."""

from __future__ import annotations

from kdevops.errors import UserError
from kdevops.lab.model import Lab
from kdevops.progress import Report
from kdevops.providers.base import Provider
from kdevops.run.build import Built
from kdevops.run.places import Places


def attached_remote(lab: Lab, places: Places) -> Provider:  # noqa: ARG001
    """The provider as far as machines that are already there go."""
    raise UserError(f"provider {lab.provider.type} is not built yet")


async def remote_provider(lab: Lab, places: Places, built: Built, report: Report) -> Provider:  # noqa: ARG001
    """The provider whose machines run what was built."""
    raise UserError(f"provider {lab.provider.type} is not built yet")
