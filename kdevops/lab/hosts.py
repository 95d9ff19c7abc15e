"""The section of lab.yaml for existing machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from kdevops.lab.fields import Model, Strings, one_or_more

MAX_PORT = 65535
Address = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9\[:][A-Za-z0-9._:%\]-]{0,253}$",
        description="a host name or an IP address; must not begin with a dash, which ssh takes for an option",
    ),
]
Login = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$", description="a user name")]
DevicePath = Annotated[
    str,
    Field(
        pattern=r"^/dev/[A-Za-z0-9._:+@/-]{1,200}$",
        description="a block device of the machine, preferably in /dev/disk/by-id: other names change between boots",
    ),
]
HostKey = Annotated[
    str,
    Field(
        pattern=r"^ssh-ed25519 [A-Za-z0-9+/]{60,100}={0,2}$",
        description="the machine's public host key: ssh-ed25519 AAAA…, from /etc/ssh/ssh_host_ed25519_key.pub",
    ),
]
Slowness = Annotated[
    float,
    Field(
        ge=1,
        le=100,
        description="how many times slower than real hardware the machines are; deadlines are multiplied by it",
    ),
]


class Host(Model):
    """One machine. `reset` and `console` are commands run on the controller, for a power switch and a console server."""

    address: Address
    port: int = Field(default=22, ge=1, le=MAX_PORT)
    user: Login = Field(default="root", description="login user; any user but root needs passwordless sudo")
    key: Path | None = Field(
        default=None, description="a private key; default: those of your ssh agent and your ssh directory"
    )
    host_key: HostKey | None = Field(
        default=None, description="the machine's public host key; default: the key seen on first contact"
    )
    reset: Strings = Field(
        default=(), description="a command that resets the machine: [ipmitool, …, chassis, power, cycle]"
    )
    console: Strings = Field(
        default=(), description="a command that keeps printing the machine's serial console: [console, -s, …]"
    )
    disks: Annotated[tuple[DevicePath, ...], one_or_more(DevicePath)] = Field(
        default=(), description="the disks that may be wiped, in the order of guests.disks"
    )


class Hosts(Model):
    """Existing machines, by address. Their disks are touched only with `scratch: true`."""

    type: Literal["hosts"]
    hosts: tuple[Host, ...] = Field(min_length=1)
    scratch: bool = Field(default=False, description="true: the disks named here may be wiped")
    boot_timeout: float = Field(default=600, gt=0, description="seconds until a machine answers over ssh after a reset")
    slowness: Slowness = 1.0

    @model_validator(mode="after")
    def _goes_together(self) -> Hosts:
        addresses = [(host.address, host.port) for host in self.hosts]
        if twice := next((each for each in addresses if addresses.count(each) > 1), None):
            raise ValueError(f"{twice[0]} port {twice[1]} is listed twice, but each machine is one guest")
        if any(host.disks for host in self.hosts) and not self.scratch:
            raise ValueError("disks are listed without permission to wipe them; to permit it, add scratch: true")
        return self
