"""The section of lab.yaml for cloud guests made by Terraform."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from kdevops.lab.clouds import cloud_names
from kdevops.lab.fields import Model, one_or_more
from kdevops.lab.hosts import Slowness

if TYPE_CHECKING:
    Cloud = str
else:
    Cloud = Literal[cloud_names()]
"""The name of a directory of `terraform/` that has a cloud.yaml: a type checker cannot know which there are."""


def _check_range(value: str) -> str:
    try:
        network = ip_network(value)
    except ValueError as error:
        raise ValueError(f"must be an address range such as 192.0.2.0/24: {error}") from None
    if network.prefixlen == 0:
        raise ValueError("this range admits the whole Internet; give only your own addresses")
    return str(network)


Range = Annotated[str, AfterValidator(_check_range)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}$")]
Image = Annotated[str, Field(pattern=r"^[A-Za-z0-9/][A-Za-z0-9._:/@-]{0,1023}$")]
"""Some clouds' ids are paths: /subscriptions/…"""


class Terraform(Model):
    """Guests in a cloud, from one of our modules or your own `module` with the same contract.

    Credentials and a project or subscription come from the cloud's own tools, never from here.
    """

    type: Literal["terraform"]
    cloud: Cloud | None = None
    module: Path | None = Field(default=None, description="a directory with your own module, instead of `cloud`")
    tool: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_./~-]+$",
        description="terraform or tofu, or a path; default: $KDEVOPS_TERRAFORM, else terraform or tofu from PATH",
    )
    region: Word | None = Field(
        default=None, description="default: from the cloud's configuration, else the module's default"
    )
    zone: Word | None = None
    instance_type: Word | None = Field(
        default=None, description="default: the cheapest reasonable type of the architecture"
    )
    architecture: Literal["x86_64", "aarch64"] | None = Field(
        default=None, description="default: this machine's, because the kernel is built on it"
    )
    image: Image | None = Field(
        default=None,
        description="the cloud's name for an image, or an id such as /subscriptions/…; default: the newest Debian",
    )
    root_size: int = Field(default=30, ge=8, le=16384, description="size of the root disk in GiB")
    spot: bool = Field(default=False, description="use cheaper machines that the cloud may stop at any time")
    allow: Annotated[tuple[Range, ...], one_or_more(Range)] = Field(
        default=(), description="address ranges that may connect to ssh; default: only this machine's public address"
    )
    owner: Word | None = Field(default=None, description="owner in the tags; default: your user name")
    lifetime: float = Field(default=24, gt=0, le=24 * 365, description="hours after which the machines are overdue")
    backend: dict[str, dict[str, Any]] = Field(
        default={},
        max_length=1,
        description="Terraform backend for its state, as in a Terraform file: {s3: {bucket: …}}",
    )
    variables: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Any] = Field(
        default={}, description="other variables of this cloud's module"
    )
    boot_timeout: float = Field(default=600, gt=0, description="seconds until a machine answers over ssh")
    slowness: Slowness = 1.0

    @model_validator(mode="after")
    def _goes_together(self) -> Terraform:
        if (self.cloud is None) == (self.module is None):
            raise ValueError(f"give either a cloud ({', '.join(cloud_names())}) or a module of your own")
        return self
