"""A store with one run of each kind, as a lab leaves it: two kernels, a decision, a boot failure, imported results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdevops.results.baselines.files import Files
from kdevops.results.bundle.incoming import Taken, take_in
from kdevops.results.bundle.outgoing import Exported, export
from kdevops.results.decision.decide import Rule
from kdevops.results.decision.stored import Against
from kdevops.results.faces import ANY, Face, Selected
from kdevops.results.imported import IMPORTED, identity_of, of_all
from kdevops.results.model import KernelReport, Outcome, Status, Subtest, TestId
from kdevops.results.reruns import SIDE, TURN, Side, decision_record
from kdevops.results.store import PlannedRow, Store

GOOD, BAD, GONE = (TestId("commands", "default", name) for name in ("good", "bad", "gone"))
SECRET = "hunter2-s3cr3t"
OOPS = KernelReport("warning", "WARNING in foo", "WARNING: at foo", gates=True, text="WARNING: at foo\n\tline ü 2")
BEFORE, UNDER_TEST, BOOTLESS, IMPORTED_RUN, ELSEWHERE = 1, 2, 5, 6, 7
"""Numbers of the runs; 3 and 4 are the reruns of 2."""


def record(name: str = "demo", **more: Any) -> dict[str, Any]:
    lab = {
        "name": name,
        "provider": {"type": "hosts", "hosts": [{"reset": ["ipmitool", "-P", SECRET], "identity": "/home/me/key"}]},
        "guests": {"count": 2, "cpus": 1, "memory": 1 << 30},
        "compare": {"provider": {"type": "terraform", "backend": {"s3": {"access_key": SECRET}}}},
        "kernel": {"cmdline": ["quiet"], "source": {"git": f"https://me:{SECRET}@example.org/linux.git"}},
        "suites": {"commands": {"tests": {"good": f"curl -H 'Authorization: {SECRET}' x", "bad": "false"}}},
        "verdict": {},
        "env": {"API_TOKEN": SECRET},
    }
    return {
        "kdevops": "0.1.0",
        "host": {"machine": "x86_64"},
        "lab": lab,
        "lab_file": "/home/me/lab.yaml",
        "baseline": str(Path("baselines").absolute()),
        "kernel": {"release": "6.1.192", "key": "k", "url": f"git+ssh://{SECRET}@host/x"},
        "image": {"packages": {}},
        "suites": {"commands": {"scripts": "abc"}},
        "known": {"tests": {}, "left_out": []},
        "asked": {"only": [], "failures_of": None, "absent": []},
        "guests": {"demo-1": ["qemu", "-object", SECRET]},
        "acceleration": "kvm",
        **more,
    }


def outcomes() -> dict[TestId, Outcome]:
    subtests = (Subtest("one", Status.PASS), Subtest("two", Status.FAIL, "no"))
    return {
        GOOD: Outcome(Status.PASS, 1.25, guest="demo-1", output="commands/default/good.log", reports=(OOPS,)),
        BAD: Outcome(Status.FAIL, 0.1, "exit code 1", subtests, "commands/default/bad.log", guest="demo-2"),
        GONE: Outcome(Status.SKIP, reason="no such device"),
    }


def rows(*tests: TestId) -> list[PlannedRow]:
    return [PlannedRow(test, 60.0, 1.5 if test is GOOD else None) for test in tests]


def stored_run(store: Store, told: dict[str, Any], ends: dict[TestId, Outcome], *, decides: int | None = None) -> int:
    name = told.get("lab", {}).get("name", "imported")
    run = store.create_run(name, rows(*ends), told, decides=decides)
    for test, outcome in ends.items():
        store.started(run, test, outcome.guest or "demo-1")
        store.ended(run, test, outcome)
    store.infrastructure(run, "demo-1", f"no ssh: see http://u:{SECRET}@proxy/")
    store.finish(run)
    store.keep_evidence(
        run, "commit 1234", Files(Path(), {"6.1/commands/default.txt": "good  pass=3  1.0s\n"}).packed()
    )
    return run


def write_output(state: Path, run: int, name: str, text: str) -> None:
    path = state / "runs" / str(run) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def filled(state: Path) -> Store:
    """A store with runs 1 to 7, below `state`."""
    store = Store(state)
    ends = outcomes()
    before = stored_run(store, record("demo"), ends | {BAD: Outcome(Status.PASS, 0.2)})
    under_test = stored_run(store, record("demo-dev", compared_with=before), ends)
    chosen = {BAD: Selected({ANY: Face(Against(7, 1))}, beside=True)}
    store.update_record(under_test, decision_record(chosen, Rule(), of=3))
    for side, end in ((Side.BASELINE, Outcome(Status.PASS, 0.2)), (Side.NOW, ends[BAD])):
        stored_run(store, record("demo-dev") | {SIDE: side, TURN: 1}, {BAD: end}, decides=under_test)
    failure = {
        "title": "kernel BUG",
        "guest": "demo-1",
        "console": "boot-failure/demo-1.console",
        "text": "BUG",
        "booted": 1,
    }
    stored_run(store, record("demo", boot_failure=failure), {GOOD: Outcome(Status.MISSING, reason="does not boot")})
    own = {"default": identity_of("6.1.192", "2024-05-17T12:00:00", ends)}
    facts = {
        "directory": "/somewhere", "ran": {"default": "2024-05-17T12:00:00"}, "facts": {}, "made": {}, "notes": [],
        "identities": own, "identity": of_all(own.values()),
    }  # fmt: skip
    told = {"kdevops": "0.1.0", "kernel": {"release": "6.1.192"}, "baseline": str(Path("baselines").absolute())}
    stored_run(store, told | {IMPORTED: facts}, ends)
    stored_run(store, record("elsewhere"), ends)
    write_output(state, 1, "commands/default/bad.log", "of the baseline kernel\n")
    write_output(state, 2, "commands/default/bad.log", "it failed: \x1b[31mred\n")
    write_output(state, 2, "commands/default/good.log", "fine\n" * 1000)
    write_output(state, 4, "commands/default/bad.log", "again\n")
    write_output(state, 5, "boot-failure/demo-1.console", "kernel BUG at foo.c\n")
    return store


def place(store: Store) -> Any:
    return lambda number: store.path.parent / "runs" / str(number)


def exported(store: Store, target: Path, *numbers: int) -> Exported:
    return export(store, numbers, place(store), lambda _: False, target)


def imported(store: Store, bundle: Path, check: Any = lambda _: None) -> list[Taken]:
    return take_in(bundle, store, place(store), lambda _: Path("baselines").absolute(), check)
