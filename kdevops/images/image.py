"""Get the base image of a lab's guests, built by us or given in the lab."""

from __future__ import annotations

from pathlib import Path

from kdevops.images.base import BaseImage
from kdevops.images.debian import debian_image
from kdevops.images.needs import NOTHING, GuestNeeds
from kdevops.images.ready import image_from_file, image_from_url
from kdevops.lab.model import Image
from kdevops.progress import Report, silent

__all__ = ["BaseImage", "ensure_image"]


async def ensure_image(
    image: Image,
    needs: GuestNeeds = NOTHING,
    *,
    cache: Path,
    report: Report = silent,
    lab_dir: Path | None = None,
) -> BaseImage:
    """The base image for `image`, ready to boot; our own images contain what the suites need.

    Built and downloaded images are cached in `cache`/images. A relative `image.path` starts from `lab_dir`.
    Raises UserError for a mistake in the lab file, InfrastructureError for the rest.
    """
    if image.path:
        return await image_from_file(image.path, cache=cache, report=report, lab_dir=lab_dir)
    if image.url and image.sha256:
        return await image_from_url(image.url, image.sha256, cache=cache, report=report)
    return await debian_image(image, needs, cache=cache, report=report)
