"""Arguments of single tests, as kselftest's runner has them."""

import pytest

from kdevops.errors import UserError
from kdevops.suites.selftests.args import sanitized, with_arguments
from kdevops.suites.selftests.catalogue import InstalledTest

TESTS = tuple(InstalledTest("toy", name, (f"./{name}",), 45.0) for name in ("rtctest", "cpu-on-off-test.sh"))


# The two examples of the comment in kselftest/runner.sh.
@pytest.mark.parametrize(
    ("name", "variable"), [("rtctest", "RTCTEST"), ("cpu-on-off-test.sh", "CPU_ON_OFF_TEST_SH"), ("a\tb+c", "AB_C")]
)
def test_names_of_variables(name, variable):
    assert sanitized(name) == variable
    assert sanitized(variable) == variable


@pytest.mark.parametrize("name", ["cpu-on-off-test.sh", "CPU_ON_OFF_TEST_SH"])
def test_arguments_are_cut_at_blanks_alone(name):
    plain, given = with_arguments(TESTS, {name: " -a  '-p 10' $(reboot) "})
    assert plain == TESTS[0]
    assert given.argv == ("./cpu-on-off-test.sh", "-a", "'-p", "10'", "$(reboot)")


def test_a_name_that_fits_no_test_is_an_error():
    with pytest.raises(UserError, match=r"suites\.selftests\.args: there is no test 'rtctst'; did you mean rtctest"):
        with_arguments(TESTS, {"rtctst": "/dev/rtc1"})
