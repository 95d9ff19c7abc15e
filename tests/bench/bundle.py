"""Export and import of a run of 30,000 tests: seconds, MiB, and the most memory. `python -m tests.bench.bundle`."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from kdevops.results.bundle.incoming import take_in
from kdevops.results.bundle.outgoing import export
from kdevops.results.model import Outcome, Status, Subtest, TestId
from kdevops.results.pruning import Limits, propose, remove, wholes
from kdevops.results.store import PlannedRow, Store

TESTS = 30_000
OUTPUT = "line of output, which a test has printed, number %d\n"


def main() -> None:
    """Print what it takes; with a number, for that many runs."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory(prefix="kdevops-bench-") as directory:
        state, away, bundle = Path(directory, "home"), Path(directory, "away"), Path(directory, "bundle")
        with Store(state) as store:
            for _ in range(runs):
                _fill(store, state)
            newest = store.runs()[0].id
            told(f"export of {TESTS} tests", lambda: export(store, [newest], _place(state), lambda _: False, bundle))
            print(
                f"  {bundle.stat().st_size / (1 << 20):.1f} MiB; store {store.path.stat().st_size / (1 << 20):.0f} MiB"
            )
        with Store(away) as store:

            def bring() -> object:
                return take_in(bundle, store, _place(away), lambda _: Path("baselines"), lambda _: None)

            told("import", bring)
            told("import again", bring)
        with Store(state) as store:
            if runs > 1:
                found = told("prune: propose", lambda: wholes(store, _place(state), lambda _: None))
                proposal = propose(found, Limits(keep=runs // 2), datetime.now(UTC))  # type: ignore[arg-type]
                freed = told(
                    f"prune: remove {len(proposal.groups)} of {runs} runs",
                    lambda: remove(store, proposal.groups, _place(state)),
                )
                print(f"  {freed / (1 << 20):.0f} MiB freed")  # type: ignore[operator]
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB of memory at most")


def told(what: str, work: object) -> object:
    began = time.monotonic()
    result = work()  # type: ignore[operator]
    print(f"{what}: {time.monotonic() - began:.2f} s", flush=True)
    return result


def _place(state: Path) -> object:
    return lambda number: state / "runs" / str(number)


def _fill(store: Store, state: Path) -> None:
    tests = [TestId("selftests", "default", f"target{n % 100}:test-{n}") for n in range(TESTS)]
    with store.together():
        run = store.create_run("bench", [PlannedRow(test, 60.0) for test in tests], {"kernel": {"release": "6.1.192"}})
        for number, test in enumerate(tests):
            store.started(run, test, "bench-1")
            subtests = tuple(Subtest(f"case {each}", Status.PASS) for each in range(3))
            fails = number % 100 == 0
            output = f"selftests/default/{number}.log" if number % 10 == 0 else ""
            end = Outcome(
                Status.FAIL if fails else Status.PASS, number / 1000, "exit code 1" if fails else "", subtests, output
            )
            store.ended(run, test, end)
            if output:
                path = state / "runs" / str(run) / output
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("".join(OUTPUT % line for line in range(40)))
        store.finish(run)


if __name__ == "__main__":
    main()
