"""The section of lab.yaml for guests made by Vagrant."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from kdevops.lab.fields import Model, Sha256, one_or_more

LibvirtUri = Annotated[
    str,
    Field(
        pattern=r"^qemu(\+ssh|\+tls)?://([A-Za-z0-9\[][A-Za-z0-9._:\[\]-]*(@[A-Za-z0-9\[][A-Za-z0-9._:\[\]-]*)?)?/(system|session)(\?[A-Za-z0-9=&_./-]*)?$",
        description="a libvirt URI such as qemu:///system or qemu+ssh://me@host/system",
    ),
]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Vagrant(Model):
    """Guests from Vagrant, on libvirt or VirtualBox. Without a `box`, one is made from `guests.image`."""

    type: Literal["vagrant"]
    backend: Literal["libvirt", "virtualbox"] = "libvirt"
    box: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$",
        description="a box name, such as debian/bookworm64; default: a box made from guests.image",
    )
    box_version: str | None = Field(default=None, pattern=r"^[0-9A-Za-z.~<>=, -]{1,64}$")
    box_url: str | None = Field(default=None, description="URL of the box, unless it is in Vagrant's catalogue")
    box_sha256: Sha256 | None = None
    accel: Literal["auto", "kvm", "tcg"] = Field(
        default="auto",
        description="libvirt's driver: kvm, or tcg for qemu; auto: decided by a timed boot on this machine",
    )
    hypervisors: Annotated[tuple[LibvirtUri, ...], one_or_more(LibvirtUri)] = Field(
        default=("qemu:///system",), description="libvirt URIs; guests are assigned to them in turn"
    )
    machine: Word = Field(default="pc", description="libvirt's machine type")
    disk_bus: Literal["virtio", "nvme"] = Field(default="virtio", description="bus of the guests' disks, on libvirt")
    pool: Word = Field(default="default", description="libvirt's storage pool")
    boot: Literal["install", "direct"] = Field(
        default="install",
        description="install: the kernel is installed in the guest; direct: libvirt boots it directly",
    )
    boot_timeout: float = Field(
        default=120, gt=0, description="seconds until a guest is up when accelerated; longer when emulated"
    )

    @model_validator(mode="after")
    def _goes_together(self) -> Vagrant:
        if not self.box and (self.box_version or self.box_url or self.box_sha256):
            raise ValueError("box_version, box_url and box_sha256 need box")
        if not self.hypervisors:
            raise ValueError("hypervisors needs at least one URI")
        if self.backend == "virtualbox":
            for field in ("hypervisors", "machine", "disk_bus", "pool", "boot", "accel"):
                if field in self.model_fields_set:
                    raise ValueError(f"{field} needs backend libvirt")
        return self
