"""Our KTAP parser against the sample logs that every kernel tree carries for kunit.py."""

import pytest

from kdevops.results.model import Status
from kdevops.suites.ktap.parser import parse
from tests.support.kunit_tree import kunit_directory

PASS, FAIL, SKIP = Status.PASS, Status.FAIL, Status.SKIP

# From kunit_tool_test.py beside the logs: status, test cases (results with nothing below them), names at the top.
# Where kunit.py says NO_TESTS we say SKIP, where it says TEST_CRASHED we say FAIL and name what was in flight.
THREE = (PASS, 10, "kunit-resource-test kunit-try-catch-test string-stream-test")
EXPECTED = {
    "test_config_printk_time.log": THREE,
    "test_insufficient_memory.log": None,
    "test_interrupted_tap_output.log": THREE,
    "test_is_test_passed-all_passed.log": (PASS, 10, "sysctl_test example"),
    "test_is_test_passed-all_passed_nested.log": (PASS, 7, "sysctl_test example"),
    "test_is_test_passed-failure.log": (FAIL, 10, "sysctl_test example"),
    "test_is_test_passed-kselftest.log": (PASS, 4, None),
    "test_is_test_passed-missing_plan.log": (PASS, 10, "sysctl_test example"),
    "test_is_test_passed-no_tests_no_plan.log": (SKIP, 1, "suite"),
    "test_is_test_passed-no_tests_run_no_header.log": None,
    "test_is_test_passed-no_tests_run_with_header.log": (SKIP, 0, ""),
    "test_kernel_panic_interrupt.log": (FAIL, 8, THREE[2]),
    "test_multiple_prefixes.log": THREE,
    "test_output_isolated_correctly.log": (PASS, 2, "example"),
    "test_output_with_prefix_isolated_correctly.log": THREE,
    "test_parse_ktap_output.log": (PASS, 3, "suite"),
    "test_parse_subtest_header.log": (PASS, 1, "suite"),
    "test_pound_no_prefix.log": THREE,
    "test_pound_sign.log": THREE,
    "test_skip_all_tests.log": (SKIP, 5, "string-stream-test example"),
    "test_skip_tests.log": (PASS, 5, "string-stream-test example"),
    "test_strip_hyphen.log": (PASS, 2, "sysctl_test example"),
}


@pytest.fixture(scope="session")
def samples(request):
    return kunit_directory(request.config) / "test_data"


@pytest.mark.parametrize("name", EXPECTED)
def test_sample_gives_what_kunit_py_says(samples, name):
    path = samples / name
    if not path.exists():
        pytest.skip(f"{name} is not in this kernel's samples")
    parsed = parse(path.read_text(errors="replace").splitlines())
    if EXPECTED[name] is None:
        assert parsed is None
        return
    status, cases, names = EXPECTED[name]
    assert parsed is not None
    assert parsed.status is status
    assert sum(1 for result in parsed.results for _ in result.leaves()) == cases
    if names is not None:
        assert " ".join(result.name for result in parsed.results) == names


def test_panic_names_the_suite_in_flight(samples):
    parsed = parse((samples / "test_kernel_panic_interrupt.log").read_text().splitlines())
    assert parsed.in_flight == "string-stream-test"
    assert parsed.results[-1].status is Status.MISSING
    assert [child.name for child in parsed.results[-1].children] == ["string_stream_test_empty_on_creation"]


def test_every_readable_sample_is_in_the_table(samples):
    unknown = {path.name for path in samples.glob("*.log")} - set(EXPECTED)
    for name in unknown:  # a newer tree may have more: they must at least be read
        parse((samples / name).read_text(errors="replace").splitlines())
    assert len(set(EXPECTED) & {path.name for path in samples.glob("*.log")}) > 10
