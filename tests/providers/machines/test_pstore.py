"""Last words from pstore."""

from __future__ import annotations

from kdevops.providers.machines.pstore import joined
from kdevops.triage.oops import find_oops


def record(name: str, text: str) -> str:
    return f"kdevops-pstore /sys/fs/pstore/{name}\n{text}\n"


def test_the_parts_of_a_log_come_in_the_order_in_which_they_were_said() -> None:
    told = record("dmesg-efi_pstore-171", "Panic#2 Part1\n<4>[    9.2] end\n")
    told += record("dmesg-efi_pstore-172", "Panic#2 Part2\n<6>[    9.1] before it\n")
    told += record("dmesg-efi_pstore-161", "Oops#1 Part1\n<4>[    9.0] first\n")
    assert joined(told) == "[    9.0] first\n[    9.1] before it\n[    9.2] end\n"


def test_an_oops_is_found_in_it() -> None:
    text = "Panic#1 Part1\n<0>[   12.3] Kernel panic - not syncing: sysrq triggered crash\n<4>[   12.3] CPU: 1 PID: 2\n"
    oops = find_oops(joined(record("dmesg-erst-1", text)).splitlines())
    assert oops
    assert oops.fatal


def test_what_is_compressed_or_no_log_or_hostile_is_no_text() -> None:
    told = record("dmesg-efi-1.enc.z", "xxx") + record("pmsg-ramoops-0", "yyy")
    told += record("dmesg-ramoops-0", "\x1b]0;title\x07<4>[ 1.0] plain\x00 text")
    assert joined(told) == "<4>[ 1.0] plain text\n"
    assert joined("") == ""
