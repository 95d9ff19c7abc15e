"""The cut out of a provider's whole schema, from a wheel that has one resource and one data source of a made-up cloud."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.terraform import cut_schema


def entry(name: str, value: str, kind: str, storage: str, block: str = "false") -> str:
    return f'    {name}: {{\n value: {value},\n isBlock: {block},\n type: "{kind}",\n storageClassType: "{storage}",\n    }},\n'


def reading(name: str, how: str) -> str:
    return f"    // {name} - computed: true, optional: false, required: false\n    get x() {{\n return this.{how};\n    }}\n"


TEXT = "cdktf.stringToHclTerraform"
RESOURCE = (
    "function machineNicToHclTerraform(struct) {\n"
    + entry("subnet", f"{TEXT}(struct.subnet)", "simple", "string")
    + entry("unused", f"{TEXT}(struct.unused)", "simple", "string")
    + "}\nfunction machineDiskToHclTerraform(struct) {\n"
    + entry("size", "cdktf.numberToHclTerraform(struct.sizeGib)", "simple", "number")
    + "}\nclass MachineNicOutputReference extends cdktf.ComplexObject {\n"
    + reading("address", "getStringAttribute('address')")
    + "}\nclass MachinePartsOutputReference extends cdktf.ComplexObject {\n"
    + reading("address", "getStringAttribute('address')")
    + reading("weight", "getNumberAttribute('weight')")
    + "}\nclass Machine extends cdktf.TerraformResource {\n    constructor() {\n"
    + "        // parts - computed: true, optional: false, required: false\n"
    + '        this._parts = new MachinePartsList(this, "parts", true);\n    }\n'
    + reading("state", "getStringAttribute('state')")
    + "    synthesizeHclAttributes() {\n"
    + entry("id", f"{TEXT}(this._id)", "simple", "string")
    + entry("name", f"{TEXT}(this._name)", "simple", "string")
    + entry("zones", "cdktf.listMapperHcl(x, false)(this._zones)", "set", "stringList")
    + entry("labels", "cdktf.hashMapperHcl(x)(this._labels)", "map", "stringMap")
    + entry("on", "cdktf.booleanToHclTerraform(this._on)", "simple", "boolean")
    + entry("nic", "machineNicToHclTerraform(this._nic.internalValue)", "list", "MachineNicList", "true")
    + entry(
        "disk", "cdktf.listMapperHcl(machineDiskToHclTerraform, true)(this._disk)", "set", "MachineDiskList", "true"
    )
    + "    }\n}\n"
    + 'Machine.tfResourceType = "oci_machine";\n'
)
DECLARATIONS = """
export interface MachineConfig extends cdktf.TerraformMetaArguments {
    readonly id?: string;
    readonly name: string;
    readonly zones?: string[];
    readonly nic: MachineNic;
}
export interface MachineNic {
    readonly subnet: string;
    readonly unused?: string;
}
export interface MachineDisk {
    readonly sizeGib?: number;
}
"""
PROVIDER = (
    "class Provider extends cdktf.TerraformProvider {\n    synthesizeHclAttributes() {\n"
    + entry("region", f"{TEXT}(this._region)", "simple", "string")
    + '    }\n}\nProvider.tfResourceType = "oci";\n'
)
LINK = "// https://registry.terraform.io/providers/oracle/oci/7.0.1/docs\n"
MODULE = """
resource "oci_machine" "node" {
  # a comment names the attribute unused, and on: neither is kept for it
  zones = []
  nic {}
  disk { size = 1 }
}
output "x" { value = oci_machine.node.parts[0].address + region }
"""


@pytest.fixture
def schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    module = tmp_path / "oci"
    module.mkdir()
    (module / "main.tf").write_text(MODULE)
    monkeypatch.setattr(cut_schema, "MODULES", tmp_path)
    files = {
        "machine/index.js": RESOURCE,
        "machine/index.d.ts": DECLARATIONS,
        "provider/index.js": PROVIDER,
        "provider/index.d.ts": f"{LINK}export interface ProviderConfig {{\n    readonly region?: string;\n}}\n",
        "other/index.js": "not looked at",
    }
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as package:
        for name, text in files.items():
            member = tarfile.TarInfo(f"package/lib/{name}")
            member.size = len(text)
            package.addfile(member, io.BytesIO(text.encode()))
    wheel = tmp_path / "oci.whl"
    with zipfile.ZipFile(wheel, "w") as outer:
        outer.writestr("x/_jsii/x.jsii.tgz", inner.getvalue())
    whole = cut_schema.cut("oci", wheel)
    assert json.loads(cut_schema.dump(whole)) == whole
    assert whole["version"] == "7.0.1"
    found: dict[str, Any] = whole["provider_schemas"]["registry.terraform.io/oracle/oci"]
    return found


def test_what_the_module_uses_is_kept_and_no_more(schema: dict[str, Any]) -> None:
    assert schema["provider"]["block"] == {"attributes": {"region": {"type": "string", "optional": True}}}
    assert schema["data_source_schemas"] == {}
    assert schema["resource_schemas"].keys() == {"oci_machine"}
    block = schema["resource_schemas"]["oci_machine"]["block"]
    assert block["attributes"] == {
        "id": {"type": "string", "optional": True, "computed": True},
        "name": {"type": "string", "required": True},  # though the module forgot it: then it is refused
        "parts": {"type": ["set", ["object", {"address": "string"}]], "computed": True},
        "zones": {"type": ["set", "string"], "optional": True},
    }


def test_blocks_say_how_often_they_may_be(schema: dict[str, Any]) -> None:
    blocks = schema["resource_schemas"]["oci_machine"]["block"]["block_types"]
    assert blocks["nic"] == {
        "nesting_mode": "list",
        "min_items": 1,
        "max_items": 1,
        "block": {
            "attributes": {
                "address": {"type": "string", "computed": True},
                "subnet": {"type": "string", "required": True},
            }
        },
    }
    assert blocks["disk"] == {
        "nesting_mode": "set",
        "block": {"attributes": {"size": {"type": "number", "optional": True}}},
    }
