"""The lab's rules for the verdict: which tests may skip although they ran before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdevops.errors import UserError
from kdevops.lab.load import load_lab
from kdevops.lab.model import Lab
from kdevops.lab.verdict import AllowedSkip, Reruns


def test_a_rule_is_a_glob_or_names_a_reason(lab) -> None:
    given = "name: x\nverdict: {allow_skips: [generic/4*, {reason: '*not supported*'}, {reason: no*, test: xfs/*}]}\n"
    rules = lab(given).lab.verdict.allow_skips
    assert rules == (
        AllowedSkip(test="generic/4*"),
        AllowedSkip(reason="*not supported*"),
        AllowedSkip(test="xfs/*", reason="no*"),
    )
    assert list(map(str, rules)) == ["test generic/4*", "reason *not supported*", "test xfs/*, reason no*"]


def test_one_rule_needs_no_list_and_may_be_given_on_the_command_line(lab) -> None:
    assert lab("name: x\nverdict: {allow_skips: 'xfs/*'}\n").lab.verdict.allow_skips == (AllowedSkip(test="xfs/*"),)
    given = 'verdict.allow_skips=[{"reason": "no *"}]'
    assert lab("name: x\n", given).lab.verdict.allow_skips == (AllowedSkip(reason="no *"),)


def test_a_stored_lab_is_read_back() -> None:
    lab = Lab.model_validate({"name": "x", "verdict": {"allow_skips": ["a", {"reason": "b"}]}})
    assert Lab.model_validate(json.loads(json.dumps(lab.model_dump(mode="json")))) == lab


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{allow_skips: [{}]}", "2:25: verdict.allow_skips.0: needs a test, a reason, or both"),
        ("{allow_skips: [5]}", "a glob of a test's name, or {reason: GLOB, test: GLOB}, is needed, found number 5"),
        ("{allow_skips: [{tests: x}]}", "verdict.allow_skips.0.tests: no such field; did you mean test?"),
        ("{allow_skips: [{reason: ''}]}", "verdict.allow_skips.0.reason: at least 1 characters is needed"),
        ("{alow_skips: []}", "verdict.alow_skips: no such field; did you mean allow_skips?"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, section: str, said: str) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(f"name: x\nverdict: {section}\n")
    with pytest.raises(UserError) as caught:
        load_lab(path)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("off", None),
        ("false", None),
        ("on", Reruns()),
        ("true", Reruns()),
        ("{}", Reruns()),
        ("{count: 200, time: 10m}", Reruns(count=200, time=600.0)),
    ],
)
def test_reruns_are_off_on_or_limited(tmp_path: Path, text: str, cost: Reruns | None) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(f"name: a\nverdict: {{rerun: {text}}}\n")
    assert load_lab(path).lab.verdict.rerun == cost


def test_reruns_are_on_unless_a_lab_says_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    for text in ("name: a\n", "name: a\nverdict: {probation: 3}\n"):
        path.write_text(text)
        assert load_lab(path).lab.verdict.rerun == Reruns()
    assert load_lab(path).lab.verdict.probation == 3


@pytest.mark.parametrize(
    ("field", "texts"),
    [
        ("probation", ["-1", "soon", "1001", "2.5"]),
        ("rerun", ["{count: -1}", "{time: soon}", "maybe", "{alpha: 0}"]),
    ],
)
def test_what_is_no_number_of_passes_or_cost_is_refused(tmp_path: Path, field: str, texts: list[str]) -> None:
    path = tmp_path / "lab.yaml"
    for text in texts:
        path.write_text(f"name: a\nverdict: {{{field}: {text}}}\n")
        with pytest.raises(UserError, match=rf"verdict\.{field}"):
            load_lab(path)
