"""KUnit suites in modules: finding them, running them, and what their words mean."""

import asyncio
import shutil
import subprocess
import tarfile

import pytest

from kdevops.guest.execute import Execution
from kdevops.lab.model import Kunit
from kdevops.progress import silent
from kdevops.results.model import Status
from kdevops.suites.base import KernelBuild
from kdevops.suites.kunit_modules import KunitModulesSuite
from kdevops.suites.kunit_modules_tar import modules_with_suites

SOURCE = """
struct kunit_suite { char name[256]; };
static struct kunit_suite suite = { "alpha" }, other = { "beta" };
static struct kunit_suite *table[] __attribute__((used, section(".kunit_test_suites"))) = { &suite, &other };
"""
RESULTS = """KTAP version 1
1..1
    KTAP version 1
    # Subtest: alpha
    1..1
    ok 1 case
ok 1 alpha"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    if not shutil.which("cc"):
        pytest.skip("a C compiler is needed")
    directory = tmp_path_factory.mktemp("modules")
    (directory / "a.c").write_text(SOURCE)
    subprocess.run(["cc", "-c", "-fno-pie", "a.c", "-o", "my-test.ko"], cwd=directory, check=True)
    with tarfile.open(directory / "modules.tar", "w") as tar:
        tar.add(directory / "my-test.ko", "lib/modules/6.1/kernel/lib/my-test.ko")
        tar.add(directory / "a.c", "lib/modules/6.1/modules.order")
    return directory / "modules.tar"


def prepare(archive, **lab):
    kernel = KernelBuild("k", None, None, None, archive)
    return asyncio.run(KunitModulesSuite(Kunit(**lab)).prepare(kernel, cache=archive.parent, report=silent))


def test_suites_are_found_with_their_module(archive):
    assert modules_with_suites(archive) == {"alpha": "my-test", "beta": "my-test"}
    assert modules_with_suites(None) == {}


def test_plan_and_command(archive):
    prepared = prepare(archive, suites=["al*"])
    (test,) = prepared.tests
    assert str(test.id) == "kunit-modules/default/alpha"
    argv, directory = prepared.command(test)
    assert argv[-2:] == ("my-test", "alpha")
    assert directory == "/"


@pytest.mark.parametrize(
    ("code", "text", "status", "reason"),
    [
        (0, RESULTS, Status.PASS, ""),
        (0, "", Status.FAIL, "the module was loaded, but its suite has no results"),
        (1, "modprobe: FATAL: Module x not found", Status.FAIL, "exit code 1: modprobe: FATAL: Module x not found"),
        (None, "", Status.HANG, "stopped after 2 s; the guest still answered"),
    ],
)
def test_outcome(archive, code, text, status, reason):
    prepared = prepare(archive)
    outcome = prepared.outcome(prepared.tests[0], Execution(code, 2.0), text.splitlines())
    assert (outcome.status, outcome.reason, outcome.seconds) == (status, reason, 2.0)
