"""The part of lab.yaml that has Terraform make guests in a cloud."""

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
        raise ValueError(f"a range of addresses such as 192.0.2.0/24 is needed: {error}") from None
    if network.prefixlen == 0:
        raise ValueError("the whole Internet is let in by this range; name the addresses that you come from")
    return str(network)


Range = Annotated[str, AfterValidator(_check_range)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}$")]
Image = Annotated[str, Field(pattern=r"^[A-Za-z0-9/][A-Za-z0-9._:/@-]{0,1023}$")]
"""Some clouds' ids are paths: /subscriptions/…"""


class Terraform(Model):
    """Guests in a cloud, by one of our modules or by a `module` of your own that keeps to the same contract.

    Credentials, and a project or subscription, are found where the cloud's own tools find them: never here.
    """

    type: Literal["terraform"]
    cloud: Cloud | None = None
    module: Path | None = Field(default=None, description="a directory with a module of your own, instead of `cloud`")
    tool: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_./~-]+$",
        description="terraform or tofu, or a path; default: $KDEVOPS_TERRAFORM, else terraform, else tofu, as PATH has them",
    )
    region: Word | None = Field(default=None, description="default: the cloud's own configuration, else the module's")
    zone: Word | None = None
    instance_type: Word | None = Field(default=None, description="default: the cheapest sane one of the architecture")
    architecture: Literal["x86_64", "aarch64"] | None = Field(
        default=None, description="default: this machine's, on which the kernel is built"
    )
    image: Image | None = Field(
        default=None,
        description="the cloud's name of an image, or an id such as /subscriptions/…; default: Debian's newest",
    )
    root_size: int = Field(default=30, ge=8, le=16384, description="GiB of the root disk")
    spot: bool = Field(default=False, description="cheaper machines that the cloud may take away at any time")
    allow: Annotated[tuple[Range, ...], one_or_more(Range)] = Field(
        default=(), description="ranges of addresses that may reach ssh; default: this machine's public address alone"
    )
    owner: Word | None = Field(default=None, description="who is told in the tags; default: the name of the user")
    lifetime: float = Field(default=24, gt=0, le=24 * 365, description="hours after which the machines are overdue")
    backend: dict[str, dict[str, Any]] = Field(
        default={}, max_length=1, description="where Terraform keeps its state, as in its own file: {s3: {bucket: …}}"
    )
    variables: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Any] = Field(
        default={}, description="variables that only this cloud's module has"
    )
    boot_timeout: float = Field(default=600, gt=0, description="seconds until a machine answers over ssh")
    slowness: Slowness = 1.0

    @model_validator(mode="after")
    def _goes_together(self) -> Terraform:
        if (self.cloud is None) == (self.module is None):
            raise ValueError(f"give either a cloud ({', '.join(cloud_names())}) or a module of your own")
        return self
