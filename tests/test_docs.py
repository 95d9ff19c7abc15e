"""Every command that the documentation shows is one that the command line takes, and every lab in it is valid."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from kdevops.cli.options import Context
from kdevops.cli.root import COMMANDS, cli
from kdevops.lab.cloud import facts_of
from kdevops.lab.clouds import cloud_names
from kdevops.lab.model import Lab

REPOSITORY = Path(__file__).parents[1]
PAGES = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").glob("*.md"))]
SHOWN = re.compile(r"^\$ (.*?)(?:\s+#.*)?$", re.MULTILINE)
INLINE = re.compile(r"`(kdevops [^`…]+)`")


def commands(page: Path) -> list[str]:
    text = page.read_text()
    blocks = "\n".join(re.findall(r"```console\n(.*?)```", text, re.DOTALL))
    lines = [part.strip() for line in SHOWN.findall(blocks) for part in re.split(r"&&|>", line)]
    return [line for line in [*lines, *INLINE.findall(text)] if line.startswith("kdevops ")]


CASES = [(page.name, line) for page in PAGES for line in commands(page)]


def test_there_is_something_to_check() -> None:
    assert len(CASES) > 20


@pytest.mark.parametrize(("page", "line"), CASES)
def test_command_is_understood(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    words = [{"RUN": "1", "GLOB": "*", "GUEST": "demo-1"}.get(word, word) for word in shlex.split(line)[1:]]
    assert words[0] in COMMANDS, f"{page}: {line}"
    command: click.Command | None = cli
    context = click.Context(cli, info_name="kdevops", obj=Context())
    while isinstance(command, click.Group) and words:
        if command.name == "results" and words[0] not in command.list_commands(context):
            words.insert(0, "show")  # the verb that may be left out
        command = command.get_command(context, words.pop(0))
    assert command, f"{page}: {line}"
    command.make_context("kdevops", words, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_labs_shown_are_valid(page: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
        Lab.model_validate(yaml.safe_load(block))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("cloud", cloud_names())
def test_every_cloud_has_its_page_and_its_template(cloud: str) -> None:
    page = Path(facts_of(cloud).docs.partition("#")[0])
    assert f"({page.name})" in (REPOSITORY / "docs/clouds.md").read_text()
    assert f"kdevops lab init --template {cloud}" in (REPOSITORY / page).read_text()
    assert f"cloud: {cloud}" in (REPOSITORY / "labs" / f"{cloud}.yaml").read_text()


PATHS = re.compile(
    r"`((?:kdevops|tests|run|guest|images|lab|results|providers|suites|triage|report|roles|playbooks|terraform|scripts)/[^`\s]*)`"
)


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/recipes.md", "CONTRIBUTING.md"])
def test_files_and_rooms_that_are_named_exist(page: str) -> None:
    named = [path for path in PATHS.findall((REPOSITORY / page).read_text()) if not re.search("[A-Z*]", path)]
    missing = [path for path in named if not any((REPOSITORY / below / path).exists() for below in ("", "kdevops"))]
    assert named
    assert missing == []
