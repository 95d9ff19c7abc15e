"""What the provider stub answers to Terraform: version 6 of the plugin protocol, by the messages of package tf.

What a cloud would fill in is made up from the rest of the resource, so that it is the same at every run. Nothing is kept
but in Terraform's own state. A string may have any value, and every change is made in place.
"""

# ruff: noqa: N802 - calls have the protocol's names

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc
from tf.types import Unknown
from tf.utils import read_dynamic_value, to_dynamic_value

Json = dict[str, Any]


def fake(of: Any, name: str, seed: str) -> Any:
    """A value of type `of`, as a cloud could have given it to what is called `name`."""
    if of == "string":
        digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
        if name.endswith(("ip", "ips", "address")):
            return f"198.18.{digest[0]}.{digest[1]}"  # RFC 2544: of nobody
        return f"{name}-{digest.hex()[:8]}"
    if isinstance(of, str):
        return {"number": 1, "bool": False}[of]
    kind, inner = of
    if kind == "object":
        return {key: fake(member, key, seed) for key, member in inner.items()}
    return {} if kind == "map" else [fake(inner, name, seed)]


def filled(block: Json, value: Json | None, unset: Any, with_what: Callable[[Any, str], Any]) -> Json | None:
    """`value` of `block`, with `with_what(type, name)` in place of computed attributes that are `unset`."""
    if value is None:
        return None
    done = {}
    for name, attribute in block.get("attributes", {}).items():
        replace = value[name] is unset and attribute.get("computed")
        done[name] = with_what(attribute["type"], name) if replace else value[name]
    for name, nested in block.get("block_types", {}).items():
        inner = value[name]
        if isinstance(inner, list):
            inner = [filled(nested["block"], each, unset, with_what) for each in inner]
        elif isinstance(inner, dict):
            assert nested["nesting_mode"] == "single", name
            inner = filled(nested["block"], inner, unset, with_what)
        done[name] = inner
    return done


def made_up(kind: str, block: Json, value: Json | None, unset: Any) -> Json | None:
    """`value` with what a cloud would have filled in."""
    seed = f"{kind} {json.dumps(value, sort_keys=True, default=str)}"
    return filled(block, value, unset, lambda of, name: fake(of, name, seed))


def block_message(block: Json) -> Any:
    """A block of a schema as the protocol has it."""
    return pb.Schema.Block(
        attributes=[
            pb.Schema.Attribute(name=name, **{**attribute, "type": json.dumps(attribute["type"]).encode()})
            for name, attribute in block.get("attributes", {}).items()
        ],
        block_types=[
            pb.Schema.NestedBlock(
                type_name=name,
                block=block_message(nested["block"]),
                nesting=nested["nesting_mode"].upper(),
                min_items=nested.get("min_items", 0),
                max_items=nested.get("max_items", 0),
            )
            for name, nested in block.get("block_types", {}).items()
        ],
    )


def messages(schemas: Json) -> dict[str, Any]:
    """Schemas by name, as the protocol has them."""
    return {name: pb.Schema(version=0, block=block_message(schema["block"])) for name, schema in schemas.items()}


class Stub(rpc.ProviderServicer):  # type: ignore[misc]
    """A provider that has what `content` says."""

    def __init__(self, content: Json) -> None:
        self.content = content

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        return pb.GetProviderSchema.Response(
            provider=messages({"": self.content["provider"]})[""],
            resource_schemas=messages(self.content["resource_schemas"]),
            data_source_schemas=messages(self.content["data_source_schemas"]),
        )

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        return pb.ConfigureProvider.Response()

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        state = to_dynamic_value(json.loads(request.raw_state.json))
        return pb.UpgradeResourceState.Response(upgraded_state=state)

    def ReadResource(self, request: Any, context: Any) -> Any:
        return pb.ReadResource.Response(new_state=request.current_state)

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        block = self.content["resource_schemas"][request.type_name]["block"]
        planned = filled(block, read_dynamic_value(request.proposed_new_state), None, lambda of, name: Unknown)
        return pb.PlanResourceChange.Response(planned_state=to_dynamic_value(planned))

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:
        block = self.content["resource_schemas"][request.type_name]["block"]
        made = made_up(request.type_name, block, read_dynamic_value(request.planned_state), Unknown)
        return pb.ApplyResourceChange.Response(new_state=to_dynamic_value(made))

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        block = self.content["data_source_schemas"][request.type_name]["block"]
        found = made_up(request.type_name, block, read_dynamic_value(request.config), None)
        return pb.ReadDataSource.Response(state=to_dynamic_value(found))

    def StopProvider(self, request: Any, context: Any) -> Any:
        return pb.StopProvider.Response()
