"""KUnit suites in modules: finding them, running them, and what their words mean."""

import asyncio
import shutil
import subprocess
import tarfile

import pytest

from kdevops import distribution
from kdevops.errors import InfrastructureError, UserError
from kdevops.guest.execute import Execution
from kdevops.lab.model import Kunit
from kdevops.progress import silent
from kdevops.results.model import Status
from kdevops.suites.base import KernelBuild
from kdevops.suites.kunit.modules import KunitModulesSuite
from kdevops.suites.kunit.modules_tar import modules_with_suites

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
    assert asyncio.run(modules_with_suites(archive)) == {"alpha": "my-test", "beta": "my-test"}
    assert asyncio.run(modules_with_suites(None)) == {}


@pytest.fixture
def packed(archive, tmp_path):
    """The archive with its module packed by zstd."""
    if not shutil.which("zstd"):
        pytest.skip("zstd is needed")
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path, "lib/modules/6.1/kernel/lib/my-test.ko"], check=True)
    subprocess.run(["zstd", "-q", "--rm", "-r", "lib"], cwd=tmp_path, check=True)
    with tarfile.open(tmp_path / "packed.tar", "w") as tar:
        tar.add(tmp_path / "lib", "lib")
    return tmp_path / "packed.tar"


def test_modules_packed_by_zstd(packed):
    assert asyncio.run(modules_with_suites(packed)) == {"alpha": "my-test", "beta": "my-test"}


def test_a_missing_zstd_is_named_with_its_package(packed, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(distribution, "distribution_family", lambda: "suse")
    with pytest.raises(InfrastructureError, match=r"my-test\.ko\.zst is packed with zstd, which is not") as caught:
        asyncio.run(modules_with_suites(packed))
    assert caught.value.hint == "install it: zypper install zstd, or set CONFIG_MODULE_COMPRESS_NONE=y"


def test_a_damaged_module_and_one_that_is_too_much_are_refused(packed, tmp_path, monkeypatch):
    (tmp_path / "bad.ko.zst").write_bytes(b"garbage")
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        tar.add(tmp_path / "bad.ko.zst", "bad.ko.zst")
    with pytest.raises(UserError, match=r"bad\.ko\.zst cannot be unpacked: .+"):
        asyncio.run(modules_with_suites(tmp_path / "bad.tar"))
    monkeypatch.setattr("kdevops.suites.kunit.modules_tar.MAX_MODULE", 1000)
    with pytest.raises(UserError, match="unpacks to more than"):
        asyncio.run(modules_with_suites(packed))


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
    reader = prepared.reader(prepared.tests[0])
    for line in text.splitlines():
        reader.feed(line)
    outcome = reader.outcome(Execution(code, 2.0))
    assert (outcome.status, outcome.reason, outcome.seconds) == (status, reason, 2.0)
