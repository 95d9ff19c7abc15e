"""Whatever stands in lab.json comes out of Ruby as it went in."""

from __future__ import annotations

import json
import shutil
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kdevops.paths import data_dir
from tests.providers.vagrant.recorded_vagrant import NEEDS_RUBY, a_lab, calls, decoded, machines, rendered, told

EVIL = (
    "#{`touch canary`}", "#{system('touch canary')}", '"; system("touch canary"); "', "'); `touch canary`; ('", "`touch canary`",
    "\\#{`touch canary`}", "%x(touch canary)", "<%= `touch canary` %>", "| touch canary", "\\", "\\'", '"', "'", "#$0", "#@x",
    "\n", "\0", "__END__", "é", "\u2028", "😀", "]]>", "--", ":id", "~", "$(touch canary)", "&&",
)  # fmt: skip
WORDS = st.one_of(st.sampled_from(EVIL), st.text(st.characters(exclude_categories=["Cs"])))
TEXTS = st.lists(WORDS, min_size=1, max_size=3).map("".join)
NAMES = TEXTS.map(lambda text: text.translate({0: "", ord("/"): ""})[:50]).filter(
    lambda text: text not in {"", ".", ".."}
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A lab.json with any text where there is text. A file's contents go by "contents"."""
    texts = {
        name: draw(TEXTS) for name in ("box", "version", "url", "sha256", "lab", "prefix", "guest", "serial", "disk")
    }
    return {
        **texts,
        **{
            name: draw(TEXTS)
            for name in ("uri", "driver", "machine", "pool", "mode", "model", "kernel", "initrd", "console")
        },
        "cmdline": draw(st.lists(TEXTS, max_size=3)),
        "files": [draw(NAMES) for _ in range(3)],
        "contents": [draw(TEXTS) for _ in range(3)],
        "backend": draw(st.sampled_from(["libvirt", "virtualbox"])),
        "nvme": draw(st.booleans()),
    }


def write_document(root: Path, text: dict[str, Any]) -> None:
    root.mkdir()
    for name in ("Vagrantfile", "prepare.sh"):
        shutil.copy(data_dir("vagrant") / name, root)
    (root / "61-kdevops.rules").write_text("rules\n")
    files = []
    for number, (name, content) in enumerate(zip(text["files"], text["contents"], strict=True)):
        files.append(root / str(number) / name)
        files[-1].parent.mkdir()
        files[-1].write_text(f"{content}\n", encoding="utf-8", newline="")
    disk = {"serial": text["serial"], "size": 1}
    if text["backend"] == "virtualbox" or text["nvme"]:
        disk["path"] = text["disk"].replace("\0", "")
    guest = {
        "name": text["guest"], "cpus": 1, "memory": 1, "disks": [disk], "hypervisor": text["uri"],
        "console": text["console"], "host_key": str(files[0]),
    }  # fmt: skip
    lab = {
        "version": 1, "name": text["lab"], "prefix": text["prefix"], "backend": text["backend"], "boot_timeout": 1,
        "box": {name: text["box" if name == "name" else name] for name in ("name", "version", "url", "sha256")},
        "public_key": str(files[1]), "private_key": str(files[2]), "guests": [guest],
        "libvirt": {"driver": text["driver"], "machine": text["machine"], "pool": text["pool"], "cpu_mode": text["mode"],
                    "cpu_model": text["model"]},
        "kernel": {"image": text["kernel"], "initrd": text["initrd"], "cmdline": text["cmdline"]},
    }  # fmt: skip
    (root / "lab.json").write_text(json.dumps(lab))


def check_document(root: Path, text: dict[str, Any], config: dict[str, Any]) -> None:
    assert {name: config["set"][f"vm.{name}"] for name in ("box", "box_version", "box_url", "box_download_checksum")} == {
        "box": text["box"], "box_version": text["version"], "box_url": text["url"], "box_download_checksum": text["sha256"],
    }  # fmt: skip
    assert config["set"]["ssh.private_key_path"][0] == f"{root}/2/{text['files'][2]}"
    ((name, machine),) = machines(config).items()
    assert name == text["guest"]
    assert decoded(machine["provision"]["args"]) == [text["guest"], text["contents"][1], "rules"]
    assert decoded([machine["provision"]["env"]["HOST_KEY"]]) == [text["contents"][0]]
    path = text["disk"].replace("\0", "")
    if text["backend"] == "virtualbox":
        assert machine["set"]["name"] == text["prefix"] + text["guest"]
        words = [words for (words,) in calls(machine, "customize")]
        assert words[1][-1] == text["console"]
        assert words[-2][-1] == path
        assert words[-1][-1] == text["serial"]
        return
    facts = machine["set"]
    assert [
        facts[name] for name in ("uri", "driver", "machine_type", "storage_pool_name", "cpu_mode", "cpu_model")
    ] == [text[name] for name in ("uri", "driver", "machine", "pool", "mode", "model")]
    assert [facts[name] for name in ("default_prefix", "kernel", "initrd")] == [
        text[name] for name in ("prefix", "kernel", "initrd")
    ]
    assert facts["description"] == f"Lab {escape(text['lab'], quote=False)} of kdevops"
    assert facts["cmd_line"] == escape(" ".join(text["cmdline"]), quote=False)
    assert calls(machine, "serial") == [{"type": "file", "source": {"path": text["console"], "append": "on"}}]
    if text["nvme"]:
        file, serial = path.replace(",", ",,"), text["serial"]
        assert calls(machine, "qemuargs")[1] == {
            "value": f"if=none,id={serial},file={file},format=raw,cache=unsafe,discard=unmap"
        }
    else:
        assert calls(machine, "storage")[0]["serial"] == text["serial"]


@NEEDS_RUBY
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.generate],  # to find a smaller example would take hundreds of Rubies
)  # fmt: skip
@given(st.lists(documents(), min_size=10, max_size=30))
def test_no_text_is_ever_code(texts: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        top = Path(directory)
        cwd = top / "cwd"
        cwd.mkdir()
        roots = [top / str(number) for number in range(len(texts))]
        for root, text in zip(roots, texts, strict=True):
            write_document(root, text)
        for root, text, config in zip(roots, texts, told(*roots, home=top, cwd=cwd), strict=True):
            check_document(root, text, config)
        assert not list(top.rglob("canary"))


@NEEDS_RUBY
def test_the_canary_sings_when_something_is_evaluated(tmp_path: Path) -> None:
    """The test above can fail."""
    root = rendered(tmp_path / "demo", a_lab())
    facts = json.loads((root / "lab.json").read_text())
    facts["box"]["name"] = EVIL[0]
    (root / "lab.json").write_text(json.dumps(facts))
    told(root, home=tmp_path, cwd=tmp_path)
    assert not (tmp_path / "canary").exists()
    text = (root / "Vagrantfile").read_text()
    (root / "Vagrantfile").write_text(text.replace('box["name"]', """eval('"' + box["name"] + '"')""", 1))
    told(root, home=tmp_path, cwd=tmp_path)
    assert (tmp_path / "canary").exists()
