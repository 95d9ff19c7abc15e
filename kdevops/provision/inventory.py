"""A lab's inventory, for our own plays and for plain `ansible-playbook -i`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from kdevops.guest.ssh import SshTarget
from kdevops.lab.model import DEV, Lab


@dataclass(frozen=True, slots=True)
class ServerHost:
    """A host that serves the others: only in the group of its role, with its own variables."""

    role: str
    ssh: SshTarget
    variables: Mapping[str, Any] = field(default_factory=dict)


def render(
    lab: Lab,
    hosts: Sequence[SshTarget],
    variables: Mapping[str, Any] | None = None,
    servers: Sequence[ServerHost] = (),
) -> str:
    """The inventory as YAML: groups `baseline`, `dev` (hosts or labs with the suffix `-dev`), one per suite of the lab and
    one per server role.

    Ansible connects as the runner does: same key, pinned host key and, if there is one, shared connection.
    `variables` are for all hosts.
    """
    names = [host.name for host in hosts]
    dev = [name for name in names if lab.name.endswith(DEV) or name.endswith(DEV)]
    groups = {
        "baseline": [name for name in names if name not in dev],
        "dev": dev,
        **{suite: names for suite, wanted in lab.suites if wanted is not None},
        **{server.role: [server.ssh.name] for server in servers},
    }
    shared = {
        "ansible_pipelining": True,
        "ansible_ssh_transfer_method": "piped",  # a minimal guest has no sftp server
        "ansible_python_interpreter": "/usr/bin/python3",  # discovery costs a round trip per guest
        "kdevops_lab": lab.name,
        **(variables or {}),
    }
    inventory = {
        "all": {
            "vars": shared,
            "hosts": {host.name: _connection(host) for host in hosts}
            | {server.ssh.name: {**_connection(server.ssh), **server.variables} for server in servers},
            "children": {group: {"hosts": dict.fromkeys(members, None)} for group, members in groups.items()},
        }
    }
    return "---\n" + yaml.safe_dump(inventory, sort_keys=False, default_flow_style=False, width=1000)


def _connection(host: SshTarget) -> dict[str, Any]:
    options = host.argv()[1:-1]  # everything between "ssh" and the address
    connection = {
        "ansible_host": host.host,
        "ansible_port": host.port,
        "ansible_user": host.user,
        "ansible_ssh_args": shlex.join(options),
    }
    return connection if host.is_root else {**connection, "ansible_become": True}
