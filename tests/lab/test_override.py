"""`--set`: one member of "exactly one of" takes the place of the file's, and what is advised is accepted."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from kdevops.errors import UserError
from kdevops.lab.load import load_lab
from kdevops.lab.model import Lab

REPOSITORY = Path(__file__).parents[2]
TEXTS = [
    REPOSITORY / "README.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *sorted((REPOSITORY / "labs").glob("*.yaml")),
]
_SET = re.compile(r"--set (?:'([^']*)'|([^\s`)]+))")


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("tree").mkdir()
    Path("a.img").touch()

    def load(text: str, *overrides: str) -> Lab:
        Path("x.yaml").write_text(text)
        return load_lab(Path("x.yaml"), overrides).lab

    return load


ADVICE = [
    pytest.param(path, quoted or plain, id=f"{path.name}: {quoted or plain}")
    for path in TEXTS
    for quoted, plain in _SET.findall(path.read_text())
    if (quoted or plain) != "KEY=VALUE"
]


def test_there_is_advice() -> None:
    assert len(ADVICE) > 4


@pytest.mark.parametrize(("path", "assignment"), ADVICE)
def test_what_is_advised_is_accepted(
    path: Path, assignment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "linux").mkdir()
    assignment = shlex.split(assignment.replace("$HOME", str(tmp_path)))[0] if "$" in assignment else assignment
    if path.suffix == ".yaml":
        load_lab(path, [assignment])
        return
    labs = [REPOSITORY / "labs/demo.yaml", REPOSITORY / "labs/xfs.yaml"]
    for number, block in enumerate(re.findall(r"```yaml\n(name: .*?)```", path.read_text(), re.DOTALL)):
        labs.append(tmp_path / f"{number}.yaml")
        labs[-1].write_text(re.sub(r"patches: fix\.patch", "patches: []", block).replace("~/", f"{tmp_path}/"))
        (tmp_path / "src/linux").mkdir(parents=True, exist_ok=True)
    told = [_refusal(lab, assignment) for lab in labs]
    assert None in told, told


def _refusal(lab: Path, assignment: str) -> str | None:
    try:
        load_lab(lab, [assignment])
    except UserError as error:
        return error.message
    return None


SUM = "0" * 64


@pytest.mark.parametrize("section", ["kernel", "compare.kernel"])
@pytest.mark.parametrize(
    "file",
    [
        "{package: a}",
        "{git: 'https://example.org/x', ref: v1}",
        f"{{tarball: 'https://example.org/x', sha256: '{SUM}'}}",
        "{prebuilt: nothing}",
    ],
)
def test_a_source_takes_the_place_of_the_files(load, section: str, file: str) -> None:
    text = f"name: x\n{_nested(section, f'{{source: {file}}}')}\n"
    lab = load(text, f"{section}.source.path=tree")
    kernel = lab.kernel if section == "kernel" else lab.compare.kernel
    assert kernel.source.model_dump(exclude_none=True) == {"path": Path.cwd() / "tree"}


def test_what_goes_with_the_same_member_is_kept(load) -> None:
    lab = load("name: x\nkernel: {source: {git: 'https://example.org/x', ref: v1}}\n", "kernel.source.ref=v2")
    assert (lab.kernel.source.git, lab.kernel.source.ref) == ("https://example.org/x", "v2")
    lab = load(
        "name: x\nkernel: {source: {package: a}}\n", "kernel.source.ref=v2", "kernel.source.git=https://example.org/y"
    )
    assert (lab.kernel.source.package, lab.kernel.source.git, lab.kernel.source.ref) == (
        None,
        "https://example.org/y",
        "v2",
    )


@pytest.mark.parametrize(
    "overrides",
    [
        ["kernel.source.package=a", "kernel.source.path=tree"],
        ["kernel.source.path=tree", "kernel.source.package=a"],
        ["kernel.source={package: a}", "kernel.source.path=tree"],
    ],
)
def test_two_of_the_command_line_are_one_too_many(load, overrides: list[str]) -> None:
    with pytest.raises(UserError, match=r"exactly one of path, .*, found path and package"):
        load("name: x\nkernel: {source: {git: 'https://example.org/x'}}\n", *overrides)


def test_it_does_after_another_field_was_taken_away(load) -> None:
    text = "name: x\nkernel: {source: {git: 'https://example.org/x', ref: v1}}\n"
    assert load(text, "kernel.source.ref=", "kernel.source.path=tree").kernel.source.git is None


def test_images_trees_of_fstests_and_clouds_too(load) -> None:
    image = f"name: x\nguests: {{image: {{url: 'https://example.org/x', sha256: '{SUM}', size: 8GiB}}}}\n"
    made = load(image, "guests.image.path=a.img").guests.image
    assert (made.path, made.url, made.sha256, made.size) == (Path.cwd() / "a.img", None, None, 8 << 30)
    fstests = "name: x\nsuites: {fstests: {profiles: [xfs_crc], source: {git: 'https://example.org/x', ref: v1}}}\n"
    source = load(fstests, "suites.fstests.source.path=tree").suites.fstests.source
    assert source.model_dump(exclude_none=True) == {"path": Path.cwd() / "tree"}
    cloud = load("name: x\nprovider: {type: terraform, cloud: aws}\n", "provider.module=tree").provider
    assert (cloud.cloud, cloud.module) == (None, Path.cwd() / "tree")


def test_taking_a_member_away_leaves_the_others(load) -> None:
    text = "name: x\nkernel: {source: {path: tree, package: a}}\n"
    assert load(text, "kernel.source.package=").kernel.source.path == Path.cwd() / "tree"


def test_what_was_wrong_with_a_member_goes_with_it(load) -> None:
    lab = load("name: x\nkernel:\n  source:\n    git:\n", "kernel.source.path=tree")
    assert lab.kernel.source.path == Path.cwd() / "tree"


def _nested(way: str, text: str) -> str:
    for step in reversed(way.split(".")):
        text = f"{{{step}: {text}}}"
    return text[1:-1]
