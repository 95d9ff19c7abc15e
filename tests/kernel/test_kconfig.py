from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kdevops.kernel.kconfig import Symbol, find_symbols, reason

TOP = """
mainmenu "x"
source "arch/$(SRCARCH)/Kconfig"
if NET
source "net/Kconfig"
endif # NET
menu "Drivers"
\tdepends on HAS_IOMEM
config DRIVER
\ttristate "A driver"
\tdepends on PCI && \\
\t\t!BROKEN
\thelp
\t  Text that says
\t  config FAKE
\t  depends on NOTHING
config AFTER
\tdef_bool y
endmenu
config FREE
\tbool
\tprompt "Free"
"""


def tree(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "arch/x86").mkdir(parents=True)
    (tmp_path / "Kconfig").write_text(TOP)
    (tmp_path / "net/Kconfig").write_text('config INET\n\tbool "TCP/IP"\nrsource "Kconfig.more"\n')
    (tmp_path / "net/Kconfig.more").write_text('menuconfig MORE\n\tbool "more"\n\tdepends on INET\n')
    (tmp_path / "arch/x86/Kconfig").write_text("config X86\n\tdef_bool y\n")
    return tmp_path


def test_dependencies_are_gathered_through_files_menus_and_conditions(tmp_path: Path) -> None:
    wanted = ["DRIVER", "INET", "MORE", "X86", "FREE", "AFTER", "FAKE"]
    assert find_symbols(tree(tmp_path), wanted, "x86") == {
        "DRIVER": Symbol(True, ["HAS_IOMEM", "PCI && !BROKEN"]),
        "INET": Symbol(True, ["NET"]),
        "MORE": Symbol(True, ["NET", "INET"]),
        "X86": Symbol(False, []),
        "FREE": Symbol(True, []),
        "AFTER": Symbol(False, ["HAS_IOMEM"]),
    }


def test_reasons() -> None:
    assert reason(None, {}) == "no such symbol in this tree"
    assert "only other options select it" in reason(Symbol(prompt=False), {})
    assert "another option" in reason(Symbol(prompt=True), {})
    told = reason(Symbol(True, ["A && !B", "C || D"]), {"A": "y", "B": "m"})
    assert told == "depends on A && !B && (C || D); C, D off and B on in the resulting configuration"
    assert reason(Symbol(True, ["!(ARM || MIPS) && DAX"]), {}).endswith("; DAX off in the resulting configuration")


def test_a_loop_of_sources_ends(tmp_path: Path) -> None:
    (tmp_path / "Kconfig").write_text('config A\n\tbool "a"\nsource "Kconfig"\n')
    assert find_symbols(tmp_path, ["A"], "x86")["A"].prompt


@given(st.text(alphabet='config source"ifmnu\t\nABdepso&|!\\# $()', max_size=300))
def test_any_text_is_survived(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Kconfig").write_text(text)
        find_symbols(Path(folder), ["A", "B"], "x86")
