"""Imported results keep where and how the tests ran, and how the output of a test differed."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.__main__ import main
from kdevops.paths import state_dir
from kdevops.results.model import Status, Subtest, TestId
from kdevops.results.store import Store
from kdevops.results.symptoms import symptoms
from kdevops.suites.base import ParsedEnd, PlannedTest
from kdevops.suites.fstests.check_log import read_log
from kdevops.suites.fstests.check_output import CheckParser
from kdevops.suites.fstests.facts import MAX_FACTS, configuration, facts, in_words, machine
from kdevops.suites.fstests.output_diff import difference_in
from kdevops.text import clean
from tests.suites.fstests.field_samples import FAILURE, case, found, paragraph, prop, suite
from tests.support.baselines import counts_in

PLATFORM = "Linux/aarch64 kvm-xfstests 6.1.99 #1 SMP PREEMPT"
CONFIG = f"""\
FSTYP         -- xfs (debug)
PLATFORM      -- {PLATFORM}
MKFS_OPTIONS  -- -f -m crc=1 /dev/vdc
MOUNT_OPTIONS -- -o noatime /dev/vdc /mnt/scratch
"""
DIFF = """\
--- tests/generic/082.out	2026-11-20 10:00:00.000000000 +0000
+++ /results/xfs/generic/082.out.bad	2026-11-21 10:00:00.000000000 +0000
@@ -1,2 +1,3 @@
 QA output created by 082
+cp: cannot create '/mnt/scratch/a.4711': No space left on device
"""
PROPERTIES = prop("PLATFORM", PLATFORM) + prop("MKFS_OPTIONS", "-f") + prop("HOST_OPTIONS", "local.config")
XML = suite(
    case("generic/001"),
    case(
        "generic/082",
        f"{FAILURE}<system-out><![CDATA[\nall of .full\n]]></system-out><system-err><![CDATA[\n{DIFF}]]></system-err>",
    ),
    properties=PROPERTIES,
    extra='hostname="kvm-xfstests" timestamp="2024-05-17T22:03:06"',
)


def test_properties_and_the_name_of_the_machine_are_kept(tmp_path: Path) -> None:
    (section,) = found(tmp_path / "xfs_crc", result_xml=XML)
    assert section.facts == {
        "PLATFORM": PLATFORM,
        "KERNEL": "6.1.99",
        "MKFS_OPTIONS": "-f",
        "HOST_OPTIONS": "local.config",
        "hostname": "kvm-xfstests",
    }
    assert (section.machine, section.made) == ("aarch64", "mkfs -f; host kvm-xfstests")
    assert section.when
    assert section.when.isoformat() == "2024-05-17T22:03:06"


@pytest.mark.parametrize("between", ["\n", ""])
def test_what_a_log_says_of_the_configuration(tmp_path: Path, between: str) -> None:
    log = CONFIG + between + paragraph("6.1.99", "Sat Jun  4 03:00:00 UTC 2024", "generic/001").lstrip("\n")
    log += paragraph("6.1.99", "Sun Jun  5 03:00:00 UTC 2024", "generic/001")
    (tmp_path / "check.log").write_text(log)
    first, second = read_log(tmp_path / "check.log")
    assert (dict(first.config)["MKFS_OPTIONS"], first.day.isoformat()) == ("-f -m crc=1 /dev/vdc", "2024-06-04")
    assert (second.config, second.broken) == ((), "")
    sections = found(tmp_path, check_log=log)
    assert (sections[0].machine, sections[0].facts["hostname"]) == ("aarch64", "kvm-xfstests")
    assert (sections[1].machine, sections[1].facts) == ("", {})


def test_a_log_names_the_kernel_by_its_platform_alone(tmp_path: Path) -> None:
    log = CONFIG + paragraph("", "Sat Jun  4 2024", "generic/001").replace("Kernel version: \n", "")
    (section,) = found(tmp_path / "xfs_crc", check_log=log)
    assert section.kernel == "6.1.99"


def test_without_a_stamp_the_date_is_that_of_the_log(tmp_path: Path) -> None:
    log = paragraph("6.1.99", "Sat Jun  4 03:00:00 UTC 2024", "generic/001")
    (section,) = found(tmp_path / "xfs_crc", result_xml=suite(case("generic/001")), check_log=log)
    assert section.when
    assert section.when.isoformat() == "2024-06-04T03:00:00"


def test_a_difference_has_the_fingerprint_that_a_run_of_ours_has(tmp_path: Path) -> None:
    test = TestId("fstests", "xfs_crc", "generic/082")
    shown = "".join(f"    {line}\n" for line in DIFF.splitlines())
    text = (
        f"generic/082 3s ... - output mismatch (see /r/generic/082.out.bad)\n{shown}    (Run 'diff -u a b'  to see)\n"
    )
    parser = CheckParser([PlannedTest(test, 60.0)])
    (ours,) = (each.outcome for each in (*parser.feed(text), *parser.close()) if isinstance(each, ParsedEnd))
    (section,) = found(tmp_path / "xfs_crc", result_xml=XML)
    theirs = section.outcomes["generic/082"]
    assert symptoms(test, theirs) == symptoms(test, ours)
    assert next(iter(symptoms(test, theirs))).startswith("output:")
    assert section.texts["generic/082", theirs] == DIFF.strip().replace("\t", " ")


def test_a_long_difference_counts_as_far_as_check_prints_it(tmp_path: Path) -> None:
    def outcome(text: str, message: str = FAILURE) -> tuple[Subtest, ...]:
        inner = f"{message}<system-err><![CDATA[{text}]]></system-err>"
        (section,) = found(tmp_path / "xfs_crc", result_xml=suite(case("generic/082", inner)))
        assert section.outcomes["generic/082"].status is Status.FAIL
        return section.outcomes["generic/082"].subtests

    lines = "".join(f"+word{'x' * number}\n" for number in range(20))
    assert outcome(DIFF + lines) == outcome(DIFF + lines + "+much later\n") != outcome(DIFF)
    checked = '<failure message="_check_dmesg: something found in dmesg (see /r/082.dmesg)" type="TestFail"/>'
    assert {each.name for each in outcome(DIFF, checked)} == {
        "_check_dmesg: something found in dmesg",
        outcome(DIFF)[0].name,
    }
    assert outcome("some output, but no difference\n--- a\n") == ()


def test_without_a_difference_nobody_knows_how_it_failed(tmp_path: Path) -> None:
    (section,) = found(tmp_path / "xfs_crc", result_xml=suite(case("generic/082", FAILURE)))
    assert section.outcomes["generic/082"].subtests == ()
    assert symptoms(TestId("fstests", "xfs_crc", "generic/082"), section.outcomes["generic/082"]) == frozenset()


def test_what_is_known_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "baselines").mkdir()
    found(tmp_path / "results/xfs_crc", result_xml=XML, generic__082_out_bad="bad\n")
    assert main(["results", "import", "results"]) == 0
    with Store(state_dir()) as store:
        assert store.run(1).record["kernel"] == {"release": "6.1.99", "machine": "aarch64"}
    capsys.readouterr()
    main(["results", "1"])
    told = capsys.readouterr().out
    assert "\nran 2024-05-17 on aarch64, imported 20" in told
    assert "\n  xfs_crc: mkfs -f; host kvm-xfstests\n" in told
    main(["results", "1", "--test", "generic/082"])
    told = capsys.readouterr().out
    assert "+cp: cannot create '/mnt/scratch/a.4711': No space left on device" in told
    assert (state_dir() / "runs/1/fstests/xfs_crc/generic/082.out.bad").read_text() == "bad\n"
    main(["results", "1", "--json"])
    assert json.loads(capsys.readouterr().out)["imported"]["facts"]["xfs_crc"]["HOST_OPTIONS"] == "local.config"
    main(["results", "1", "--format", "mail"])
    told = capsys.readouterr().out
    assert "6.1.99, aarch64\n" in told
    assert "mkfs -f; host kvm-xfstests\n" in told
    main(["results", "1", "--format", "junit"])
    assert 'timestamp="2024-05-17T22:03:06"' in capsys.readouterr().out
    main(["baseline", "accept", "1"])
    assert "generic/082>output:" in counts_in(tmp_path / "baselines/6.1/aarch64")


@given(st.lists(st.dictionaries(st.text(max_size=30), st.text(max_size=800), max_size=5), max_size=30))
def test_facts_are_bounded_and_clean(properties: list[dict[str, str]]) -> None:
    kept = facts(properties)
    assert len(kept) <= MAX_FACTS
    for text in (*kept.values(), machine(kept), in_words(kept)):
        assert text == clean(text)


@given(st.text())
def test_any_line_is_read(text: str) -> None:
    assert configuration(text) is None or " -- " in text
    kept = difference_in(text)
    assert kept == clean(kept, lines=True)
