"""What a round trip of expunge lists costs: `python -m tests.bench.expunges [TREE]`.

TREE is imported into a baseline, exported, and every entry compared. Without one, which may be a checkout of upstream kdevops,
a tree of the size of upstream's is made up.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kdevops.results.expunges.exporting import export_trees
from kdevops.results.expunges.importing import import_trees
from kdevops.results.expunges.lists import parse
from kdevops.results.expunges.reading import Found, read_trees
from tests.bench.lookups import make

T = TypeVar("T")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="kdevops-bench-") as directory:
        tree, baseline, out = Path(directory, "tree"), Path(directory, "baselines"), Path(directory, "out")
        if len(sys.argv) > 1:
            tree = Path(sys.argv[1])
        else:
            make(tree)
        taken = timed("import", lambda: import_trees(tree, baseline))
        timed("import again", lambda: import_trees(tree, baseline))
        timed("export", lambda: export_trees(baseline, [], lambda *_: None, out))
        before = Counter(entry for each in taken for entry in entries(each.found))
        after = Counter(entry for each in read_trees(out) for entry in entries(each))
        notes = sum(number for (*_, note), number in before.items() if note)
        print(
            f"{before.total()} entries, {notes} notes: {(before - after).total()} lost, {(after - before).total()} made up"
        )


def entries(found: Found) -> list[tuple[str, str, str]]:
    return [
        (str(path), each.test, each.note) for path, text in found.tree.lists.items() for each in parse(text, Path(path))
    ]


def timed(what: str, work: Callable[[], T]) -> T:
    started = time.monotonic()
    result = work()
    print(f"{what}: {time.monotonic() - started:.2f} s")
    return result


if __name__ == "__main__":
    main()
