"""The suite as the runner sees it, on the toy tree."""

import asyncio
import shutil

import pytest

from kdevops.errors import UserError
from kdevops.guest.execute import Execution
from kdevops.lab.model import Selftests
from kdevops.progress import silent
from kdevops.results.model import Status
from kdevops.suites.base import KernelBuild
from kdevops.suites.selftests.suite import SelftestsSuite
from tests.suites.selftests.toy import make_tree


def test_a_prebuilt_kernel_has_no_selftests():
    with pytest.raises(UserError, match="needs the kernel's source"):
        SelftestsSuite(Selftests(targets=["good"])).kernel_options(None)


@pytest.mark.skipif(not (shutil.which("make") and shutil.which("cc")), reason="make and a C compiler are needed")
def test_prepare_plans_and_says_how_to_run(tmp_path):
    tree = make_tree(tmp_path / "linux")
    suite = SelftestsSuite(Selftests(targets=["good"], tests=["good:script.sh"], args={"script.sh": "-v 2"}))
    assert suite.kernel_options(tree).required["BETA"] == "y"
    kernel = KernelBuild("key", tree, None, None)
    prepared = asyncio.run(suite.prepare(kernel, cache=tmp_path / "cache", report=silent))
    (test,) = prepared.tests
    assert str(test.id) == "selftests/default/good:script.sh"
    assert prepared.command(test) == (("/bin/sh", "-e", "./script.sh", "-v", "2"), f"{prepared.remote}/good")
    assert prepared.digest[:16] in prepared.remote
    assert prepared.record["payload"] == prepared.digest
    assert prepared.reader(test).outcome(Execution(0, 1.0)).status is Status.PASS
