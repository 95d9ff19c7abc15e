"""Cut what one module of ours uses out of a provider's whole schema, for the provider stub to serve.

    pip download --no-deps cdktf-cdktf-provider-azurerm
    python tests/terraform/cut_schema.py azure cdktf_cdktf_provider_azurerm-*.whl

The wheels of CDK for Terraform are generated from the schema that the provider itself gives, and have all of it but one thing:
that an optional attribute is computed too, where nobody set it. Those that our modules read are named in COMPUTED_TOO, from the
providers' documentation. Nobody but the provider knows which values are allowed in a string, so neither does the stub.

The result has the form of `terraform providers schema -json`. Kept are the types that the module has, their required attributes,
and every attribute or block whose name is a word in the module.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MODULES = HERE.parents[1] / "terraform"

# Of each cloud: the provider's source.
PROVIDERS = {
    "gce": "hashicorp/google",
    "azure": "hashicorp/azurerm",
    "oci": "oracle/oci",
    "openstack": "terraform-provider-openstack/openstack",
}
# By type, and by block within it: optional attributes that the provider fills in where they are not set.
COMPUTED_TOO = {
    "google_compute_instance": {"project", "zone"},
    "google_compute_instance.network_interface.access_config": {"nat_ip"},
    "google_compute_instance.network_interface.ipv6_access_config": {"external_ipv6"},
    "openstack_networking_floatingip_v2": {"address"},
    "openstack_networking_secgroup_v2": {"region"},
    "data.openstack_networking_network_v2": {"name"},
}
SIMPLE = {"string": "string", "number": "number", "boolean": "bool"}
GETTERS = {"String": "string", "Number": "number", "Boolean": "bool", "List": ["list", "string"]} | {
    "NumberList": ["list", "number"],
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
}
ENTRY = re.compile(
    r'(\w+): \{\s+value: (.*?),\s+isBlock: (true|false),\s+type: "(\w+)",\s+storageClassType: "(\w+)"', re.DOTALL
)
NESTED = re.compile(r"(?<![.\w])(\w+)ToHclTerraform")
MEMBER = re.compile(r"(?:struct\.|this\._)(\w+)")
READ_ONLY = r"// (\w+) - computed: true, optional: false, required: false\s+"
GETTER = re.compile(READ_ONLY + r"get \w+\(\) \{\s+return ([^;]+);")
OBJECTS = re.compile(READ_ONLY + r"this\._\w+ = new (\w+?)(?:List|OutputReference)\(this, \"\w+\"(?:, (true|false))?\)")

Json = dict[str, Any]


class Type:
    """One resource, data source or provider as a wheel has it, cut to `words`."""

    def __init__(self, name: str, script: str, declarations: str, words: set[str]) -> None:
        self.name, self.words = name, words
        self.classes = dict(re.findall(r"^class (\w+) extends cdktf\.\w+ \{(.*?)^\}", script, re.DOTALL | re.MULTILINE))
        self.structs = dict(
            re.findall(r"^function (\w+)ToHclTerraform\(struct\) \{(.*?)^\}", script, re.DOTALL | re.MULTILINE)
        )
        found = re.findall(
            r"^export interface (\w+) (?:extends \S+ )?\{(.*?)^\}", declarations, re.DOTALL | re.MULTILINE
        )
        self.required = {name: set(re.findall(r"readonly (\w+):", body)) for name, body in found}
        top = re.search(r'^(\w+)\.tfResourceType = "(\w+)"', script, re.MULTILINE)
        assert top, name
        self.top = top[1]

    def block(self) -> Json:
        body = self.classes[self.top]
        settable = body[body.index("synthesizeHclAttributes()") :]
        return self._block(self.name, ENTRY.findall(settable), self.required[f"{self.top}Config"], body)

    def _block(self, path: str, entries: list[tuple[str, ...]], required: set[str], body: str) -> Json:
        attributes: Json = {}
        blocks: Json = {}
        for name, value, is_block, kind, storage in entries:
            member = MEMBER.search(value)
            assert member, (path, name, value)
            must = member[1] in required
            if not (must or name in self.words or name == "id"):
                continue
            if is_block == "true":
                blocks[name] = self._nested(f"{path}.{name}", value, kind, must)
                continue
            one: Json = {"type": self._type(path, value, kind, storage), "required" if must else "optional": True}
            if name == "id" or name in COMPUTED_TOO.get(path, ()):
                one["computed"] = True
            attributes[name] = one
        for name, of in self._read_only(body).items():
            if name in self.words or name == "id":
                attributes[name] = {"type": of, "computed": True}
        cut: Json = {"attributes": dict(sorted(attributes.items()))} if attributes else {}
        return cut | ({"block_types": dict(sorted(blocks.items()))} if blocks else {})

    def _nested(self, path: str, value: str, kind: str, must: bool) -> Json:
        struct = NESTED.search(value)
        assert struct, (path, value)
        several = "listMapperHcl" in value or "hashMapperHcl" in value
        cut: Json = {"nesting_mode": "single" if kind == "struct" else kind}
        if kind in {"list", "set"}:
            cut |= ({"min_items": 1} if must else {}) | ({} if several else {"max_items": 1})
        name = struct[1][0].upper() + struct[1][1:]
        body = self.classes.get(f"{name}OutputReference", "")
        inner = self._block(path, ENTRY.findall(self.structs[struct[1]]), self.required.get(name, set()), body)
        return cut | {"block": inner}

    def _type(self, path: str, value: str, kind: str, storage: str) -> Any:
        """The type of an attribute, as `terraform providers schema` writes types."""
        if kind == "simple":
            return SIMPLE[storage]
        of = next((SIMPLE[word] for word in SIMPLE if storage in {f"{word}List", f"{word}Map"}), None)
        if of is None:  # blocks that may be written as a list of objects
            struct = NESTED.search(value)
            assert struct, (path, storage)
            of = ["object", {e[0]: self._type(path, e[1], e[3], e[4]) for e in ENTRY.findall(self.structs[struct[1]])}]
        return [kind, of]

    def _read_only(self, body: str) -> Json:
        found: Json = {}
        for name, how in GETTER.findall(body):
            getter = re.search(r"get(\w+?)Attribute\(", how)
            if getter is None:
                continue  # a block: below
            of = GETTERS[getter[1]]
            found[name] = ["set", of[1]] if "tolist" in how else of
        for name, struct, is_set in OBJECTS.findall(body):
            members = self._read_only(self.classes[f"{struct}OutputReference"])
            members = {key: of for key, of in members.items() if key in self.words}
            found[name] = [
                "set" if is_set == "true" else "list",
                ["object", members],
            ]
        return found


def cut(cloud: str, wheel: Path) -> Json:
    """The schema of `cloud`'s provider, cut to its module. Raises AssertionError where the wheel has another form."""
    source = PROVIDERS[cloud]
    text = "\n".join(path.read_text() for path in (MODULES / cloud).glob("*.tf"))
    text = re.sub(r"^\s*#.*", "", text, flags=re.MULTILINE)
    words = set(re.findall(r"[a-z][a-z0-9_]*", text))
    prefix = source.split("/")[1]
    wanted = {"package/lib/provider/": ("provider", prefix)}
    for kind, name in re.findall(rf'^(resource|data) "({prefix}_\w+)"', text, re.MULTILINE):
        directory = f"data-{name}" if kind == "data" else name.removeprefix(f"{prefix}_")
        schemas = "data_source_schemas" if kind == "data" else "resource_schemas"
        wanted[f"package/lib/{directory.replace('_', '-')}/"] = (schemas, name)
    files: dict[str, str] = {}
    outer = zipfile.ZipFile(wheel)
    (inner,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(outer.read(inner)), mode="r:gz") as package:
        for member in package:
            if member.name.rpartition("/")[0] + "/" in wanted:
                content = package.extractfile(member)
                assert content, member.name
                files[member.name] = content.read().decode()
    # Every attribute comes with a link to what the registry says about it.
    version = re.search(rf"providers/{source}/([0-9.]+)/docs", files["package/lib/provider/index.d.ts"])
    assert version, source
    schema: Json = {"provider": {"block": {}}, "resource_schemas": {}, "data_source_schemas": {}}
    for directory, (kind, name) in sorted(wanted.items()):
        known_as = f"data.{name}" if kind.startswith("data") else name
        block = Type(known_as, files[f"{directory}index.js"], files[f"{directory}index.d.ts"], words).block()
        if kind == "provider":
            schema[kind] = {"version": 0, "block": block}
        else:
            schema[kind][name] = {"version": 0, "block": block}
    return {
        "comment": f"What terraform/{cloud} uses of {source} {version[1]}. Made by cut_schema.py from {wheel.name}.",
        "version": version[1],
        "format_version": "1.0",
        "provider_schemas": {f"registry.terraform.io/{source}": schema},
    }


def dump(value: Any, indent: str = "") -> str:
    """JSON with an attribute a line, for `git diff` to be read."""
    line = json.dumps(value)
    if not isinstance(value, dict) or not any(isinstance(each, dict) for each in value.values()):
        return line
    inner = ",\n".join(f"{indent} {json.dumps(key)}: {dump(item, indent + ' ')}" for key, item in value.items())
    return f"{{\n{inner}\n{indent}}}"


if __name__ == "__main__":
    (HERE / "schemas" / f"{sys.argv[1]}.json").write_text(dump(cut(sys.argv[1], Path(sys.argv[2]))) + "\n")
