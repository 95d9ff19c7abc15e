"""The answer of the timed boot is cached in a file that other versions of kdevops read too."""

import asyncio
import json
from pathlib import Path

from kdevops.providers.acceleration import Acceleration, probe


def test_cached_answer_is_read_by_its_recorded_keys(tmp_path: Path) -> None:
    qemu = tmp_path / "qemu"
    qemu.write_text("#!/bin/sh\necho 'Linux version 6.12'\n")
    qemu.chmod(0o755)
    first = asyncio.run(probe(tmp_path / "vmlinuz", cache=tmp_path, binary=str(qemu), wanted="tcg"))
    assert first.kind == "tcg"
    (record,) = (tmp_path / "acceleration").iterdir()
    facts = json.loads(record.read_text())
    assert facts == {"kind": "tcg", "why": first.why, "factor": first.slowdown}
    record.write_text(json.dumps({**facts, "factor": 12.5}))
    again = asyncio.run(probe(None, cache=tmp_path, binary=str(qemu), wanted="tcg"))
    assert again == Acceleration("tcg", first.why, 12.5)


def test_record_that_cannot_be_read_is_made_again(tmp_path: Path) -> None:
    qemu = tmp_path / "qemu"
    qemu.write_text("#!/bin/sh\necho 'Linux version 6.12'\n")
    qemu.chmod(0o755)
    known = asyncio.run(probe(tmp_path / "vmlinuz", cache=tmp_path, binary=str(qemu), wanted="tcg"))
    (record,) = (tmp_path / "acceleration").iterdir()
    for text in ("", "[]", "5", '{"kind": "tcg"}'):
        record.write_text(text)
        assert asyncio.run(probe(tmp_path / "vmlinuz", cache=tmp_path, binary=str(qemu), wanted="tcg")) == known
