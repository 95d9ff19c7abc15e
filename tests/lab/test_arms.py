from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.lab.arms import arms
from kdevops.lab.load import load_lab
from kdevops.lab.model import Compare, Config, Kernel, Lab, Qemu, Source, lab_schema


def refused(load, text: str, *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        load(text, *overrides)
    return caught.value.message


AB = """\
name: ab
kernel: {source: {path: .}, config: {base: defconfig, options: [CONFIG_A=y]}, cmdline: [quiet], jobs: 3}
compare: {kernel: {source: {package: linux-source-6.1}}}
"""


def test_a_lab_without_compare_is_its_only_arm(lab) -> None:
    alone = lab("name: x\n").lab
    assert arms(alone) == (alone,)


def test_the_arms_differ_in_name_and_in_what_compare_says_of_the_kernel(lab) -> None:
    whole = lab(AB).lab
    before, under_test = arms(whole)
    assert (before.name, under_test.name) == ("ab", "ab-dev")
    assert before.guest_names() == ("ab-1",)
    assert under_test.guest_names() == ("ab-dev-1",)
    assert before.kernel == whole.kernel.model_copy(update={"source": Source(package="linux-source-6.1")})
    assert under_test.kernel == whole.kernel
    assert before.compare is under_test.compare is None
    assert arms(before) == (before,)


def test_of_the_configuration_too_only_what_is_said_differs(lab) -> None:
    before, under_test = arms(lab(AB, "compare.kernel={config: {options: [CONFIG_B=y]}}").lab)
    assert before.kernel.config == Config(base="defconfig", options=("CONFIG_B=y",))
    assert under_test.kernel.config == Config(base="defconfig", options=("CONFIG_A=y",))
    assert before.kernel.source == under_test.kernel.source


def test_patches_can_be_taken_away_from_the_baseline_kernel(lab) -> None:
    Path("fix.patch").write_text("")
    before, under_test = arms(lab(AB, "kernel.patches=fix.patch", "compare.kernel={patches: []}").lab)
    assert before.kernel.patches == ()
    assert under_test.kernel.patches == (Path("fix.patch").absolute(),)


def test_files_of_the_baseline_kernel_are_made_absolute_and_looked_for(lab) -> None:
    Path("old").mkdir()
    whole = lab(AB, "compare.kernel={source: {path: old}, patches: old, config: {base: ./old, fragments: [./old]}}").lab
    here = Path("old").absolute()
    assert whole.compare
    kernel = whole.compare.kernel
    assert (kernel.source.path, kernel.patches) == (here, (here,))
    assert (kernel.config.base, kernel.config.fragments) == (str(here), (str(here),))
    text = AB.replace("package: linux-source-6.1", "path: gone")
    assert (
        refused(lab, text)
        == f"x.yaml:3:29: compare.kernel.source.path: no such file or directory: {Path('gone').absolute()}"
    )


def test_what_is_shown_is_the_same_lab_again(lab, tmp_path: Path) -> None:
    loaded = lab(AB, "compare.kernel={cmdline: [noquiet]}")
    shown = loaded.lab.model_dump(mode="json", exclude_none=True)
    Path("shown.yaml").write_text(yaml.safe_dump(shown))
    again = load_lab(Path("shown.yaml"))
    assert again.lab == loaded.lab
    assert again.digest == loaded.digest
    assert Lab.model_validate(loaded.lab.model_dump(mode="json")) == loaded.lab


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name: x\ncompare: {}\n", "x.yaml:2:1: compare: needs a kernel or a provider that differs"),
        ("name: x\ncompare: {kernl: {}}\n", "x.yaml:2:11: compare.kernl: no such field; did you mean kernel?"),
        (
            "name: x\ncompare: {kernel: {compilr: gcc}}\n",
            "x.yaml:2:20: compare.kernel.compilr: no such field; did you mean compiler?",
        ),
        (
            "name: x\ncompare: {kernel: {compiler: tcc}}\n",
            "x.yaml:2:20: compare.kernel.compiler: text 'tcc' is not known here; use one of gcc, clang; did you mean gcc?",
        ),
        ("name: x\ncompare:\n", "x.yaml:2:1: compare: the value is empty"),
    ],
)
def test_mistakes_are_told_with_file_line_and_field(lab, text: str, problem: str) -> None:
    assert problem in refused(lab, text)


def test_a_mistake_of_the_kernel_is_told_once(lab) -> None:
    told = refused(lab, "name: x\nkernel: {compiler: tcc}\ncompare: {kernel: {}}\n")
    assert told.splitlines() == [
        "x.yaml:2:10: kernel.compiler: text 'tcc' is not known here; use one of gcc, clang; did you mean gcc?"
    ]


@pytest.mark.parametrize("name", ["a" * 28, "a" * 29])
def test_a_name_too_long_for_the_second_arm_is_refused(lab, name: str) -> None:
    text = f"name: {name}\ncompare: {{kernel: {{}}}}\n"
    if len(name) == 28:
        assert arms(lab(text).lab)[1].name == f"{name}-dev"
        return
    assert refused(lab, text) == (
        f"x.yaml:2:1: compare: the lab under test is named {name}-dev, but a name has at most 32 characters:"
        " shorten `name` to 28"
    )


def test_a_name_that_says_dev_cannot_be_that_of_a_baseline(lab) -> None:
    assert "x.yaml:2:1: compare: the lab's name must not end in -dev" in refused(
        lab, "name: x-dev\ncompare: {kernel: {}}\n"
    )


def test_fixed_ssh_ports_of_the_arms_stand_apart(lab) -> None:
    text = AB + "guests: {count: 3}\nprovider: {ssh_port: 3000}\n"
    providers = [arm.provider for arm in arms(lab(text).lab)]
    ports = [each.ssh_port for each in providers if isinstance(each, Qemu) and each.ssh_port]
    assert ports[0] == 3000
    assert ports[1] >= 3000 + 3 + 2, "a lab may have two servers besides its guests"
    assert "x.yaml:3:1: compare: " in refused(lab, text, "provider.ssh_port=65533")


def test_vagrant_has_arms_too(lab) -> None:
    text = AB + "provider: {type: vagrant}\n"
    assert [arm.provider.type for arm in arms(lab(text).lab)] == ["vagrant", "vagrant"]


kernels = st.builds(
    Kernel,
    source=st.sampled_from([Source(package="linux-source-6.1"), Source(git="https://x/", ref="v6")]),
    config=st.builds(Config, base=st.sampled_from(["lean", "defconfig"])) | st.builds(Config),
    cmdline=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    jobs=st.none() | st.integers(1, 9),
)


@given(kernels, kernels, st.sets(st.sampled_from(["source", "config", "cmdline", "jobs"])))
def test_every_field_comes_from_where_it_was_said(under_test: Kernel, other: Kernel, said: set[str]) -> None:
    given_fields = {name: getattr(other, name) for name in said}
    lab = Lab(name="x", kernel=under_test, compare=Compare(kernel=Kernel(**given_fields)))
    before, after = arms(lab)
    assert after.kernel == under_test
    for name in ("source", "cmdline", "jobs", "compiler", "patches"):
        assert getattr(before.kernel, name) == getattr(other if name in said else under_test, name)
    assert Lab.model_validate_json(lab.model_dump_json(), strict=True) == lab


def test_the_schema_knows_it() -> None:
    schema = lab_schema()
    assert schema["properties"]["compare"]["description"]
    assert set(schema["$defs"]["Compare"]["properties"]) == {"kernel", "guests", "provider"}


HOSTS = "provider: {type: hosts, hosts: [{address: 192.0.2.1}, {address: 192.0.2.2}]}\n"


def test_the_baseline_arm_may_have_guests_and_a_provider_of_its_own(lab) -> None:
    before, under_test = arms(lab(f"name: x\n{HOSTS}compare: {{provider: {{type: qemu}}, guests: {{count: 3}}}}\n").lab)
    assert (before.provider.type, before.guest_names()) == ("qemu", ("x-1", "x-2", "x-3"))
    assert (under_test.provider.type, under_test.guest_names()) == ("hosts", ("x-dev-1", "x-dev-2"))
    assert before.kernel == under_test.kernel


def test_machines_of_the_baseline_arm_are_as_many_as_are_named(lab) -> None:
    text = f"name: x\nguests: {{count: 3, memory: 4GiB}}\ncompare: {{{HOSTS.strip()}}}\n"
    before, under_test = arms(lab(text).lab)
    assert (before.guests.count, under_test.guests.count, under_test.guests.memory) == (2, 3, 4 << 30)


@pytest.mark.parametrize(
    ("compare", "problem"),
    [
        ("{kernel: {}}", "the baseline needs its own machines: it has no provider of its own"),
        (f"{{{HOSTS.strip()}}}", "the baseline needs its own machines: 192.0.2.1 is also under test"),
    ],
)
def test_one_machine_is_not_in_two_arms(lab, compare: str, problem: str) -> None:
    assert f"x.yaml:3:1: compare: {problem}" in refused(lab, f"name: x\n{HOSTS}compare: {compare}\n")


def test_files_of_providers_are_made_absolute_and_looked_for(lab) -> None:
    Path("key").write_text("")
    text = "name: x\nprovider: {type: hosts, hosts: [{address: 192.0.2.1, key: key}]}\n"
    provider = lab(text).lab.provider
    assert provider.hosts[0].key == Path("key").absolute()
    assert "provider.hosts.0.key: no such file or directory:" in refused(lab, text.replace("key: key", "key: gone"))
    assert "provider.module: no such file or directory:" in refused(
        lab, "name: x\nprovider: {type: terraform, module: gone}\n"
    )
