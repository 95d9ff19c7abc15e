"""What a lab may say of machines in a cloud."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from kdevops.errors import UserError
from kdevops.lab.load import load_lab
from kdevops.lab.model import Lab, lab_schema
from kdevops.lab.terraform import Terraform

IN_A_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/team/providers/Microsoft.Compute"


def lab(**provider: object) -> dict[str, object]:
    return {"name": "x", "provider": {"type": "terraform", "cloud": "azure", **provider}}


@pytest.mark.parametrize(
    "image",
    [
        "ami-0123456789abcdef0",
        "Canonical:ubuntu-24_04-lts:server:latest",
        "projects/debian-cloud/global/images/family/debian-12",
        "ocid1.image.oc1.phx.aaaa",
        f"{IN_A_GROUP}/images/mine",
        f"{IN_A_GROUP}/galleries/{'g' * 80}/images/{'i' * 80}/versions/1.0.0",
    ],
)
def test_an_image_is_named_as_its_cloud_names_it(image: str) -> None:
    said = lab(image=image)
    provider = Lab.model_validate(said).provider
    assert isinstance(provider, Terraform)
    assert provider.image == image
    assert not list(pytest.importorskip("jsonschema").Draft202012Validator(lab_schema()).iter_errors(said))


@pytest.mark.parametrize("image", ["", "-i", "a b", '"', "$(id)", "${var.lab}", "a;b", "a\nb", "/" * 1025])
def test_what_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(ValidationError):
        Lab.model_validate(lab(image=image))
    with pytest.raises(ValidationError):
        Lab.model_validate(lab(region="/subscriptions"))


def test_the_error_says_what_an_image_is(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("name: x\nprovider: {type: terraform, cloud: azure, image: $(id)}\n")
    with pytest.raises(
        UserError, match=r"provider\.image: text '\$\(id\)' is not valid.*an id such as /subscriptions/…"
    ):
        load_lab(path)
