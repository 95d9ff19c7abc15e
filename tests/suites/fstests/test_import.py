"""Results of others: what fstests leaves, and what upstream kdevops keeps of it."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.model import Outcome, RunState, Status, TestId
from kdevops.results.store import Kind, Store
from kdevops.suites.fstests.archive import find_sections
from kdevops.suites.fstests.importing import import_results
from kdevops.suites.kind import Imported
from kdevops.suites.shared import imports
from kdevops.text import clean

PASS, FAIL, SKIP, MISSING = Status.PASS, Status.FAIL, Status.SKIP, Status.MISSING

LOG = """
Kernel version: 6.1.192-test
Sat Nov 21 03:00:00 UTC 2026
Ran: generic/001 generic/002 generic/003 generic/004
Not run: generic/002
Failures: generic/003 generic/004
Failed 2 of 4 tests
"""
XML = """\
<testsuite name="xfstests" failures="1" skipped="1" tests="3" time="19">
<properties><property name="SECTION" value="xfs_crc"/><property name="PLATFORM" value="Linux/x86_64 h 6.1.192-test #1"/>
</properties>
<testcase classname="xfstests.xfs_crc" name="generic/001" time="5"/>
<testcase classname="xfstests.xfs_crc" name="generic/002" time="1"><skipped message="no feature"/></testcase>
<testcase classname="xfstests.xfs_crc" name="generic/003" time="7"><failure message="- output mismatch (see x)"/></testcase>
</testsuite>
"""
OUTCOMES = {
    "generic/001": Outcome(PASS, 5.0),
    "generic/002": Outcome(SKIP, 0.0, "no feature"),
    "generic/003": Outcome(FAIL, 0.0, "output mismatch"),
    "generic/004": Outcome(FAIL, 0.0, "something found in dmesg"),
}


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def section(directory: Path, **changes: str) -> Path:
    """A section as an old tree leaves it, without a report."""
    files = {
        "check.log": LOG,
        "check.time": "generic/001 5\ngeneric/009 3\ngeneric/004 12\n",
        "generic/001.full": "all is well",
        "generic/002.notrun": "no feature\nreally\n",
        "generic/003.out.bad": "QA output created by 003\nbad\n",
        "generic/003.full": "more",
        "generic/004.dmesg": "WARNING: CPU: 0\n",
    }
    return write(directory, files | {name.replace("_", "."): text for name, text in changes.items()})


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "state") as opened:
        yield opened


def take(store: Store, directory: Path, kernel: str = "") -> list[Imported]:
    runs = store.path.parent / "runs"
    baseline = store.path.parent / "baselines"
    return import_results(
        directory, store, lambda run: runs / str(run), lab="imported", kernel=kernel, baseline=baseline
    )


def test_a_section_without_a_report(tmp_path: Path) -> None:
    (found,) = find_sections(section(tmp_path / "xfs_crc"))
    assert (found.profile, found.kernel, found.notes) == ("xfs_crc", "6.1.192-test", ())
    assert found.outcomes == OUTCOMES


def test_the_report_says_more_than_the_log(tmp_path: Path) -> None:
    (found,) = find_sections(section(tmp_path / "somewhere", result_xml=XML))
    assert (found.profile, found.kernel, found.notes) == ("xfs_crc", "6.1.192-test", ())
    assert found.outcomes == OUTCOMES | {
        "generic/002": Outcome(SKIP, 1.0, "no feature"),
        "generic/003": Outcome(FAIL, 7.0, "output mismatch"),
    }


def test_seconds_alone_are_never_a_pass(tmp_path: Path) -> None:
    section(tmp_path / "6.1.192/xfs_crc", check_log="")
    (found,) = find_sections(tmp_path)
    assert found.kernel == "6.1.192"
    assert {name: outcome.status for name, outcome in found.outcomes.items()} == {
        "generic/001": MISSING,
        "generic/002": SKIP,
        "generic/003": FAIL,
        "generic/004": MISSING,
        "generic/009": MISSING,
    }
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone/check.time").write_text("generic/001 5\n")
    with pytest.raises(UserError, match="there are no results of fstests in") as error:
        find_sections(tmp_path / "alone", "6.1.192")
    assert "check.time alone is not enough" in str(error.value.hint)


def test_result_base_with_sections(tmp_path: Path) -> None:
    base = write(tmp_path / "results", {"check.log": LOG, "check.time": "generic/001 5\n"})
    section(base / "xfs_crc")
    section(base / "xfs_reflink")
    assert [found.profile for found in find_sections(base)] == ["xfs_crc", "xfs_reflink"]


@pytest.mark.parametrize("name", ["results", "results/host/6.1.192"])
def test_result_base_without_sections(tmp_path: Path, name: str) -> None:
    (found,) = find_sections(section(tmp_path / name))
    assert found.profile == "default"


def test_an_interrupted_test_is_missing(tmp_path: Path, store: Store) -> None:
    log = "Kernel version: 6.1.192\nRan: generic/001 generic/005\nInterrupted!\nPassed all 2 tests\n"
    (done,) = take(store, section(tmp_path / "xfs_crc", check_log=log))
    assert store.outcomes(done.run)[TestId("fstests", "xfs_crc", "generic/005")].status is MISSING
    assert store.run(done.run).state is RunState.INCOMPLETE


def test_what_contradicts_itself_is_told_and_not_a_pass(tmp_path: Path, store: Store) -> None:
    log = LOG.replace("Not run: generic/002\n", "").replace("Failures: generic/003 ", "Failures: generic/005 ")
    log = log.replace("generic/004\nFailures", "generic/004 generic/005 generic/006\nFailures").replace("of 4", "of 6")
    cases = "".join(f'<testcase name="generic/00{n}" time="1"/>' for n in (5, 6)) + "</testsuite>"
    xml = XML.replace('tests="3"', 'tests="5"').replace("</testsuite>", cases)
    files = {
        "generic/006.out.bad": "bad\n",
        "check.time": "generic/001 5\ngeneric/002 1\ngeneric/003 1\ngeneric/006 1\n",
    }
    (done,) = take(store, write(section(tmp_path / "xfs_crc", check_log=log, result_xml=xml), files))
    assert done.notes == (
        "xfs_crc: generic/002: result.xml says skip, but check.log says pass",
        "xfs_crc: generic/003: result.xml says fail, but check.log says pass",
        "xfs_crc: generic/005: result.xml says pass, but check.log says fail",
        "xfs_crc: generic/006: it is recorded as passed, but there is its .out.bad",
    )
    kept = [entry.text for entry in store.journal(done.run) if entry.kind is Kind.INFRASTRUCTURE]
    assert kept == list(done.notes)
    statuses = [outcome.status for outcome in store.outcomes(done.run).values()]
    assert statuses == [PASS, SKIP, FAIL, FAIL, FAIL, MISSING]
    assert store.run(done.run).state is RunState.INCOMPLETE


def test_repetitions_have_names_of_their_own(tmp_path: Path) -> None:
    again = '<testcase name="generic/001" time="6"><failure message="no qualified output"/></testcase></testsuite>'
    xml = XML.replace("</testsuite>", again).replace('failures="1"', 'failures="2"')
    (found,) = find_sections(section(tmp_path / "xfs_crc", result_xml=xml.replace('tests="3"', 'tests="4"')))
    assert found.notes == ()
    assert found.outcomes["generic/001#2"] == Outcome(FAIL, 6.0, "no qualified output")


def test_a_tree_of_kernels_becomes_a_run_for_each(tmp_path: Path, store: Store) -> None:
    for kernel in ("6.1.11+", "6.6.0-rc1"):
        log = LOG.replace("Kernel version: 6.1.192-test\n", "")
        for profile in ("xfs_crc", "xfs_reflink"):
            section(tmp_path / "tree" / kernel / profile, check_log=log)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "tree").rglob("*")}
    done = take(store, tmp_path / "tree")
    assert [(each.kernel, each.profiles) for each in done] == [
        ("6.1.11+", ("xfs_crc", "xfs_reflink")),
        ("6.6.0-rc1", ("xfs_crc", "xfs_reflink")),
    ]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "tree").rglob("*")} == before
    run = store.run(done[0].run)
    assert (run.lab, run.state, run.record["kernel"]) == ("imported", RunState.COMPLETE, {"release": "6.1.11+"})
    assert run.record["imported"]["sections"]["xfs_crc"] == str(tmp_path / "tree/6.1.11+/xfs_crc")
    assert done[0].counts[FAIL] == 4
    outcomes = {test.name: each for test, each in store.outcomes(run.id).items() if test.profile == "xfs_crc"}
    assert outcomes["generic/003"].output == "fstests/xfs_crc/generic/003.out.bad"
    kept = store.path.parent / "runs" / str(run.id)
    assert (kept / outcomes["generic/003"].output).read_text().endswith("bad\n")
    assert (kept / "fstests/xfs_crc/generic/003.full").read_text() == "more"
    assert not (kept / "fstests/xfs_crc/generic/001.full").exists()
    assert [path.name for path in kept.parent.iterdir() if path.name.startswith(".")] == []


def test_a_huge_output_is_cut(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MAX_FILE", 10)
    (done,) = take(store, section(tmp_path / "xfs_crc"))
    kept = store.path.parent / "runs" / str(done.run) / "fstests/xfs_crc/generic/003.out.bad"
    assert kept.read_text() == "QA output \n[kdevops: the first 10 bytes of 29]\n"


def test_refused(tmp_path: Path, store: Store) -> None:
    with pytest.raises(UserError, match="is not a directory"):
        take(store, tmp_path / "no")
    with pytest.raises(UserError, match="there are no results of fstests in"):
        take(store, write(tmp_path / "empty", {"notes.txt": "", "check.log": "nothing"}))
    with pytest.raises(UserError, match="nothing says which kernel ran in") as error:
        take(store, section(tmp_path / "tree/xfs_crc", check_log=""))
    assert "--kernel" in str(error.value.hint)
    with pytest.raises(UserError, match="not a kernel release"):
        take(store, tmp_path / "tree", "../../etc")
    assert store.runs() == ()
    assert [each.kernel for each in take(store, tmp_path / "tree", "6.1.9")] == ["6.1.9"]


def test_the_same_profile_in_several_trees_is_several_runs(tmp_path: Path, store: Store) -> None:
    for host, seconds in (("a", 7), ("b", 8)):
        for profile in ("xfs_crc", "xfs_reflink"):
            xml = XML.replace("xfs_crc", profile).replace('time="7"', f'time="{seconds}"')
            section(tmp_path / "two" / host / "6.1.192-test" / profile, result_xml=xml)
    section(tmp_path / "two/b/6.1.192-test/ext4")
    done = take(store, tmp_path / "two")
    assert [each.profiles for each in done] == [("xfs_crc", "xfs_reflink"), ("ext4", "xfs_crc", "xfs_reflink")]
    for each, seconds in zip(done, (7, 8), strict=True):
        assert store.outcomes(each.run)[TestId("fstests", "xfs_crc", "generic/003")].seconds == seconds


def test_links_are_not_followed(tmp_path: Path) -> None:
    directory = section(tmp_path / "xfs_crc")
    (directory / "generic/005.out.bad").symlink_to("/etc/passwd")
    (directory / "xfs").symlink_to("/")
    (found,) = find_sections(directory)
    assert found.outcomes == OUTCOMES


def test_a_record_outside_is_not_read(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"check.log": LOG, "result.xml": XML})
    directory = section(tmp_path / "xfs_crc", check_log="")
    for name in ("check.log", "result.xml"):
        (directory / name).unlink(missing_ok=True)
        (directory / name).symlink_to(outside / name)
    (found,) = find_sections(directory, "6.1.9")
    assert PASS not in {outcome.status for outcome in found.outcomes.values()}
    (directory / "check.log").unlink()
    write(directory, {"check.log.1": LOG})
    (directory / "check.log").symlink_to("check.log.1")
    (found,) = find_sections(directory)
    assert found.outcomes == OUTCOMES


@given(
    st.dictionaries(
        st.sampled_from(["check.log", "check.time", "result.xml", "generic/002.notrun"]), st.binary(max_size=200)
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_garbage_is_read_or_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    directory = section(tmp_path / "xfs_crc", result_xml=XML)
    for name, data in files.items():
        (directory / name).write_bytes(data)
    (found,) = find_sections(directory, "6.1.192")
    assert found.outcomes["generic/003"].status is FAIL
    assert all(clean(outcome.reason) == outcome.reason for outcome in found.outcomes.values())
