"""A stub of a Terraform provider: it serves a provider's schema and pretends that all that is asked for was made.

With it the real Terraform checks, plans, applies and destroys modules of clouds whose providers are not here. A schema
has the form of `terraform providers schema -json`, and is of one provider.

`install` lays the stub out as a program in a directory that Terraform takes for a mirror. `listening` serves it from this
process, which saves a start of Python at each step that Terraform takes.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOSTS = ("registry.terraform.io", "registry.opentofu.org")
PROGRAM = """#!{python}
import sys

sys.path.insert(0, {here!r})
from tests.terraform.stub import serve

serve({schema!r})
"""


def load(schema: Path) -> tuple[str, dict[str, Any]]:
    """The provider's address, and what it has."""
    ((address, content),) = json.loads(schema.read_text())["provider_schemas"].items()
    return address, content


def install(schema: Path, mirror: Path, version: str, platform: str) -> None:
    """Lay the stub out below `mirror` as this version of the provider, for Terraform and for OpenTofu."""
    source = load(schema)[0].split("/", 1)[1]
    for host in HOSTS:
        program = mirror / host / source / version / platform / f"terraform-provider-{source.split('/')[1]}_v{version}"
        program.parent.mkdir(parents=True)
        program.write_text(
            PROGRAM.format(python=sys.executable, here=str(Path(__file__).parents[2]), schema=str(schema))
        )
        program.chmod(0o755)


def serve(schema: str) -> None:
    """Be the plugin's program until Terraform has had enough. The handshake and its keys are those of package tf."""
    import tf.provider
    from tf.runner import run_provider

    from tests.terraform.stub_service import Stub

    tf.provider.ProviderServicer = lambda _: Stub(load(Path(schema))[1])
    run_provider(None)


@contextmanager
def listening(schema: Path) -> Iterator[dict[str, str]]:
    """Serve from this process; gives the environment that has Terraform come here."""
    import grpc
    from tf.gen import tfplugin_pb2_grpc as rpc

    from tests.terraform.stub_service import Stub

    address, content = load(schema)
    server = grpc.server(ThreadPoolExecutor(max_workers=10))
    rpc.add_ProviderServicer_to_server(Stub(content), server)
    with tempfile.TemporaryDirectory() as directory:
        socket = {"Network": "unix", "String": f"{directory}/provider.sock"}
        server.add_insecure_port(f"unix://{socket['String']}")
        server.start()
        here = {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": 1, "Test": True, "Addr": socket}
        addresses = [f"{host}/{address.split('/', 1)[1]}" for host in HOSTS]
        try:
            yield {"TF_REATTACH_PROVIDERS": json.dumps(dict.fromkeys(addresses, here))}
        finally:
            server.stop(grace=None).wait()
