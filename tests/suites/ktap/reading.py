"""How tests of the parser look at what it read."""

from __future__ import annotations

from kdevops.results.model import Status
from kdevops.suites.ktap.parser import parse

PASS, FAIL, SKIP, MISSING = Status.PASS, Status.FAIL, Status.SKIP, Status.MISSING


def read(text):
    return parse(text.strip("\n").splitlines())


def flat(parsed):
    return [(subtest.name, subtest.status) for subtest in parsed.subtests]
