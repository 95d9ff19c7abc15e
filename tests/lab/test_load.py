"""A lab file is read whole, and all that is wrong with it is told at once, with its place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kdevops.errors import UserError
from kdevops.lab import document
from kdevops.lab.load import load_lab
from kdevops.lab.model import Lab
from kdevops.paths import data_dir


def test_a_lab_of_one_line_is_a_lab(lab) -> None:
    loaded = lab("name: x\n")
    assert loaded.lab == Lab(name="x")
    assert loaded.path == Path("x.yaml").absolute()


def test_the_digest_tells_what_counts_and_nothing_else(lab) -> None:
    one = lab("name: x\nguests: {count: 1}\n").digest
    assert lab("# said differently\nguests:\n  count: 1\nname: x\n").digest == one
    assert lab("name: x\nguests: {count: 2}\n", "guests.count=1").digest == one
    assert lab("name: x\nguests: {count: 2}\n").digest != one


@pytest.mark.parametrize("path", sorted(data_dir("labs").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_labs_hold(path: Path) -> None:
    loaded = load_lab(path)
    assert loaded.baseline == data_dir("baselines")


def test_everything_wrong_is_told_at_once_and_in_order(problems) -> None:
    text = """\
nme: x
guests:
  cpu: 3
  memory: 2XB
  disks: [{size: 1GiB}, {size: 1GiB, count: 0}]
  image: {path: nope.img}
provider: {type: vagrnt, accel: kmv}
kernel:
  source: {path: ., package: a}
  patches: fix.patch
  config: {options: [KUNIT]}
suites:
  kunit:
  selftests: {targets: []}
"""
    here = Path.cwd()
    assert (
        "\n".join(problems(text))
        == f"""\
x.yaml:1:1: name: is missing
x.yaml:1:1: nme: no such field; did you mean name?
x.yaml:3:3: guests.cpu: no such field; did you mean cpus?
x.yaml:4:3: guests.memory: must be a size, such as 512MiB or 4GiB, found text '2XB'
x.yaml:5:38: guests.disks.1.count: at least 1 is needed, found number 0
x.yaml:6:11: guests.image.path: no such file or directory: {here}/nope.img
x.yaml:7:12: provider.type: text 'vagrnt' is not known here; use one of qemu, vagrant, terraform, hosts; did you mean vagrant?
x.yaml:9:3: kernel.source: exactly one of path, tarball, git, package, prebuilt is needed, found path and package
x.yaml:10:3: kernel.patches: no such file or directory: {here}/fix.patch
x.yaml:11:22: kernel.config.options.0: text 'KUNIT' is not valid: \
a kernel option as in a .config, such as CONFIG_KUNIT=y
x.yaml:13:3: suites.kunit: the value is empty; set it ({{}} for the defaults of a section) or remove the field
x.yaml:14:15: suites.selftests.targets: a list of 1 or more entries is needed, found an empty list"""
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: x\nname: y\n", "x.yaml:2:1: name: is given twice, first on line 1"),
        ("name: 5\n", "1:1: name: text (in quotes, if it looks like a number) is needed, found number 5"),
        ("name: X\n", "1:1: name: a name has lower-case letters"),
        ("name: x\nguests: {count: yes}\n", "2:10: guests.count: a whole number is needed, found true (in YAML also"),
        ("name: x\nguests: {count: '2'}\n", "2:10: guests.count: a whole number is needed, found text '2'"),
        ("name: x\nguests: 2\n", "2:1: guests: a section with fields is needed, found number 2"),
        ("- name: x\n", "x.yaml:1:1: a section with fields is needed, found a list"),
        ("", "x.yaml:1:1: name: is missing"),
        ("name: x\nsuites: {kunit: {timeout: .inf}}\n", "2:18: suites.kunit.timeout: a finite number is needed"),
        ("name: x\nguests: {memory: 99999999999999999999}\n", "2:10: guests.memory: must be a size, such as"),
        ("name: !python/object:os.system x\n", "1:1: name: the tag !python/object:os.system is not supported"),
        ("name: !!int x\n", "1:1: name: 'x' is not a valid int"),
        ("name: x\nguests: {memory: 10}\n",
         "2:10: guests.memory: must be at least 64MiB (a plain number is bytes; did you mean 10"),
        ("name: x\nguests: {memory: 4096}\n", "a plain number is bytes; did you mean 4096MiB?), found number 4096"),
        ("name: x\nguests: {disks: [{size: 20}]}\n", "2:19: guests.disks.0.size: must be at least 1MiB (a plain number"),
        ("name: x\nguests: {memory: 10MiB}\n", "guests.memory: must be at least 64MiB, found text '10MiB'"),
        ("name: x\nkernel: {source: {git: 'https://x/y', ref: --upload-pack=x}}\n",
         "2:39: kernel.source.ref: text '--upload-pack=x' is not valid: a branch, tag or commit"),
        ("name: x\nkernel: {source: {git: '--upload-pack=x:y'}}\n",
         "2:19: kernel.source.git: text '--upload-pack=x:y' is not valid"),
        ("name: x\nsuites: {fstests: {profiles: a, source: {ref: -v}}}\n", "suites.fstests.source.ref: text '-v' is not valid"),
        ("name: x\nsuites: {fstests: {profiles: a, source: {git: '-v:'}}}\n",
         "suites.fstests.source.git: text '-v:' is not valid"),
        ("name: x\nsuites: {selftests: {targets: ['$(id)']}}\n",
         "2:32: suites.selftests.targets.0: text '$(id)' is not valid: a directory of tools/testing/selftests"),
        ("name: x\nsuites: {selftests: {targets: ['../x']}}\n", "targets.0: text '../x' is not valid"),
        ("name: x\nsuites: {selftests: {targets: ['net/../x']}}\n", "targets.0: text 'net/../x' is not valid"),
        ("name: x\nsuites: {commands: {tests: ['true']}}\n",
         "2:21: suites.commands.tests: names with values, as in {NAME: VALUE}, is needed, found a list"),
        ("name: x\nsuites: {commands: {tests: {}}}\n", "suites.commands.tests: 1 or more entries is needed, found an empty"),
        ("name: x\n? [a]\n: 1\n", "2:3: a key must be a word, found a list or a mapping"),
        ('name: "x\\e[31m"\n', "1:1: name: contains a control character"),
        ("name: x\nguests:\n\tcount: 2\n", "3:1: not valid YAML: a tab; indent with spaces"),
        ("name: x\nguests: {count: 2\n", "not valid YAML: did not find expected ',' or '}'"),
        ("name: x\n--- \nname: y\n", "2:1: not valid YAML: but found another document"),
        ("name: *x\n", "1:7: not valid YAML: found undefined alias"),
        ("name: &x [*x]\n", "this is not a lab file"),
        ("[" * 100_000, "this is not a lab file"),
        ("a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
        ), "this is not a lab file"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_place(problems, text: str, line: str) -> None:
    assert line in "\n".join(problems(text))


def test_targets_are_called_as_the_kernels_are(lab) -> None:
    names = ["net/forwarding", "drivers/net/bonding", "memory-hotplug", "x86", "vDSO", "cpufreq", "powerpc/mm"]
    text = f"name: x\nsuites: {{selftests: {{targets: {names}}}}}\n"
    assert lab(text).lab.suites.selftests.targets == tuple(names)


def test_one_entry_may_stand_without_its_list(lab, problems) -> None:
    loaded = lab(
        "name: x\n"
        "kernel: {config: {options: CONFIG_A=y, optional: CONFIG_B=y}}\n"
        "provider: {type: vagrant, hypervisors: 'qemu+ssh://me@host/system'}\n"
        "suites:\n"
        "  kunit: {options: CONFIG_C=y}\n"
        "  fstests: {profiles: xfs_crc, groups: quick, exclude_groups: soak, tests: generic/001, exclude: xfs/*}\n"
    ).lab
    assert (loaded.kernel.config.options, loaded.kernel.config.optional) == (("CONFIG_A=y",), ("CONFIG_B=y",))
    assert loaded.provider.hypervisors == ("qemu+ssh://me@host/system",)
    assert loaded.suites.kunit.options == ("CONFIG_C=y",)
    fstests = loaded.suites.fstests
    chosen = (fstests.groups, fstests.exclude_groups, fstests.tests, fstests.exclude)
    assert chosen == (("quick",), ("soak",), ("generic/001",), ("xfs/*",))
    assert lab("name: x\nprovider: {type: terraform, cloud: aws, allow: 192.0.2.0/24}\n").lab.provider.allow
    disks = "name: x\nguests: {disks: [{size: 1GiB}]}\nprovider: {type: hosts, scratch: true, hosts: "
    assert lab(disks + "[{address: a, disks: /dev/sdb}]}\n").lab.provider.hosts[0].disks == ("/dev/sdb",)
    (line,) = problems("name: x\nkernel: {config: {options: KUNIT}}\n")
    assert line.startswith("x.yaml:2:19: kernel.config.options: text 'KUNIT' is not valid: a kernel option as in")


@pytest.mark.parametrize(("written", "seconds"), [("1h", 3600), ("90s", 90), ("0.5", None), (90, 90), ("5m", 300)])
def test_soak_is_a_duration_as_on_the_command_line(lab, problems, written: object, seconds: float | None) -> None:
    text = f"name: x\nsuites: {{fstests: {{profiles: xfs_crc, soak: {written}}}}}\n"
    assert lab(text).lab.suites.fstests.soak == (seconds if seconds is not None else 0.5)
    assert "soak: must be a duration, such as 90s, 5m or 1h, found text '1 hour'" in "\n".join(
        problems(text.replace(str(written), "1 hour"))
    )


def test_merge_keys_are_told_of(problems) -> None:
    found = problems("a: &a {count: 2}\nname: x\nguests: {<<: *a, cpus: 1}\n")
    assert "x.yaml:3:10: guests.<<: merge keys are not supported; write the fields out" in found
    assert not any("no such field" in line and "<<" in line for line in found)


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.yaml")
    with pytest.raises(UserError, match="cannot be read: it is not a regular file"):
        load_lab(tmp_path / "x.yaml")
    with pytest.raises(UserError, match="cannot be read: File name too long"):
        load_lab(Path("x" * 5000))


def test_a_lab_may_come_through_a_pipe() -> None:
    argv = [sys.executable, "-c", "from kdevops.lab.load import *; print(load_lab(Path('/dev/stdin')).lab.name)"]
    assert subprocess.check_output(argv, input=b"name: piped\n") == b"piped\n"


def test_a_flood_of_problems_is_cut(problems) -> None:
    lines = problems("".join(f"field{number}: 1\n" for number in range(500)))
    assert len(lines) == 21
    assert lines[-1] == "and 481 more problems"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: \xff\n", "x.yaml:1: not UTF-8 text (byte 0xff)"),
        (b"name: \x01\n", "not valid YAML: it contains control characters"),
        (b"#" * (document.MAX_BYTES + 1), "larger than 1 MiB"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_lab(tmp_path / "x.yaml")
    assert message in caught.value.message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such lab file") as caught:
        load_lab(tmp_path / "x.yaml")
    assert "lab init" in (caught.value.hint or "")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        load_lab(tmp_path)


def test_paths_start_from_the_lab_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("labs/tree/x", "labs/a.patch", "labs/my.config", "home/b.patch", "elsewhere/bzImage"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "labs/x.yaml").write_text(
        "name: x\nbaseline: known\n"
        "kernel: {source: {path: tree}, patches: [a.patch, ~/b.patch], config: {base: my.config, fragments: [xfs]}}\n"
    )
    monkeypatch.chdir(tmp_path / "elsewhere")
    kernel = load_lab(Path("../labs/x.yaml")).lab.kernel
    assert kernel.source.path == tmp_path / "labs/tree"
    assert kernel.patches == (tmp_path / "labs/a.patch", tmp_path / "home/b.patch")
    assert (kernel.config.base, kernel.config.fragments) == (str(tmp_path / "labs/my.config"), ("xfs",))
    assert load_lab(Path("../labs/x.yaml")).baseline == tmp_path / "labs/known"
    overrides = ["kernel.source.path=null", "kernel.source.prebuilt=bzImage"]
    source = load_lab(Path("../labs/x.yaml"), overrides).lab.kernel.source
    assert source.prebuilt == tmp_path / "elsewhere/bzImage", "given on the command line: from where that was typed"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{tarball: linux.tar.xz}", "kernel.source.tarball: no such file or directory:"),
        ("{git: ../linux}", "kernel.source.git: no such file or directory:"),
        ("{path: ''}", "kernel.source.path: no such file or directory: ''"),
        ("{path: " + "x" * 5000 + "}", "kernel.source.path: no such file or directory:"),
    ],
)
def test_sources_that_are_not_there(problems, source: str, found: str) -> None:
    assert found in "\n".join(problems(f"name: x\nkernel: {{source: {source}}}\n"))


@pytest.mark.parametrize("git", ["https://example.org/linux.git", "git@example.org:linux.git"])
def test_sources_elsewhere_are_not_looked_for(lab, git: str) -> None:
    assert lab(f"name: x\nkernel: {{source: {{git: '{git}'}}}}\n").lab.kernel.source.git == git
