from __future__ import annotations

import os
from pathlib import Path

from kdevops.kernel import recovery


def made(folder: Path, name: str, *, target: int | None, note: int | None, text: str = "savedcmd := cc\n") -> None:
    """A target and kbuild's note of it, last written at these times."""
    for path, time, content in ((folder / name, target, "x"), (folder / f".{name}.cmd", note, text)):
        if time is not None:
            path.write_text(content)
            os.utime(path, ns=(time, time))


def test_only_what_was_in_the_making_is_removed(tmp_path: Path) -> None:
    deep = tmp_path / "fs/xfs"
    deep.mkdir(parents=True)
    made(deep, "done.o", target=10, note=20)
    made(deep, "half.o", target=30, note=20)
    made(deep, "cut.o", target=10, note=20, text="savedcmd := c")
    made(deep, "empty.o", target=10, note=20, text="")
    made(deep, "compiling.o", target=10, note=20)
    made(deep, "gone.o", target=None, note=20)
    (deep / ".compiling.o.d").touch()
    made(deep, "tool.o", target=10, note=20)
    (deep / ".tool.o.d").touch()  # the build system of tools/ keeps these
    os.utime(deep / ".tool.o.d", ns=(15, 15))
    (deep / "plain.h").touch()
    recovery.mend(tmp_path)
    assert sorted(path.name for path in deep.iterdir()) == [
        ".done.o.cmd", ".gone.o.cmd", ".tool.o.cmd", ".tool.o.d", "done.o", "plain.h", "tool.o",
    ]  # fmt: skip


def test_a_build_that_ended_is_not_mended(tmp_path: Path) -> None:
    recovery.begin(tmp_path)
    recovery.end(tmp_path)
    made(tmp_path, "half.o", target=30, note=20)
    recovery.begin(tmp_path)
    assert (tmp_path / "half.o").exists()
    recovery.begin(tmp_path)
    assert not (tmp_path / "half.o").exists()
