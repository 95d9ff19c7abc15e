"""KTAP, TAP 13, TAP 14 and KUnit logs in the odd shapes that real programs print, each with its right answer.

shapes.txt has them, with ␍, ␛ and ␇ for the control characters. A result is written `+name` (pass), `-name` (fail),
`~name` (skip) or `?name` (begun, never ended), with `_` for a blank. Where `kernel` is "same", the kernel's own parser counts
the same passes, failures and skips and comes to the same end; else it says why that parser is not followed.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from kdevops.results.model import Status
from kdevops.suites.ktap.parser import parse
from tests.support.kunit_tree import KernelParser, kunit_directory

SIGNS = {Status.PASS: "+", Status.FAIL: "-", Status.SKIP: "~", Status.MISSING: "?"}
CONTROLS = str.maketrans("␍␛␇", "\r\x1b\x07")
WORDS = {"success": "pass", "failure": "fail", "test_crashed": "fail", "skipped": "skip", "no_tests": "skip"}


@dataclass(frozen=True)
class Shape:
    name: str
    status: str
    results: list[str]
    kernel: str
    lines: list[str]


def shapes():
    for block in Path(__file__).with_name("shapes.txt").read_text().removeprefix("== ").split("\n\n== "):
        name, right, kernel, *lines = block.rstrip("\n").translate(CONTROLS).split("\n")
        status, _, results = right.removeprefix("= ").partition(":")
        yield Shape(name, status, results.split(), kernel.removeprefix("= kernel: "), lines)


SHAPES = pytest.mark.parametrize("shape", list(shapes()), ids=lambda shape: shape.name)


@SHAPES
def test_shape(shape):
    parsed = parse(shape.lines)
    assert parsed is not None
    assert parsed.status.value == shape.status
    told = [SIGNS[each.status] + each.name.replace(" / ", "/").replace(" ", "_") for each in parsed.subtests]
    assert told == shape.results


@pytest.fixture(scope="session")
def kernels_parser(request):
    return KernelParser(kunit_directory(request.config))


@SHAPES
def test_the_kernels_own_parser_says_the_same(kernels_parser, shape):
    """Where it is right; where the table says that it is not, it must not agree either."""
    text = "\n".join(line.rstrip("\r").replace("\r", "\n") for line in shape.lines)
    theirs = Counter(leaves(kernels_parser.statuses(text))), WORDS.get(kernels_parser.status(text))
    parsed = parse(shape.lines)
    ours = Counter(leaf.status for result in parsed.results for leaf in result.leaves()), parsed.status
    assert (ours == theirs) == (shape.kernel == "same"), (ours, theirs)


def leaves(tests):
    for _, status, nested in tests:
        yield from leaves(nested) if nested else [WORDS[status] if status != "test_crashed" else "crashed"]
