"""What a suite says of itself as plain data, and what holds where it says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from kdevops.lab.fields import Model


class SuiteFacts:
    """A suite's description, as plain data.

    Defaults never hide a failure: the baseline is run again, a test that is gone counts as lost, a cache is kept.
    """

    name: str
    """Its name in lab.yaml, below `suites`."""
    model: type[Model]
    """The model of its section of lab.yaml."""
    test_suites: tuple[str, ...] = ()
    """First parts of its tests' ids: its name (the default), or several that begin with its name and a dash.

    A test that moves from one of them to another is not lost.
    """
    chooses: frozenset[str] = frozenset()
    """Fields that only select tests and do not affect their results."""
    repeats: bool = False
    """Whether it can plan a test several times: `x`, `x#2`, `x#3`. Then no test's own name may end like that."""
    explains_failures: bool = False
    """Whether every failure has a subtest that says how.

    A failure without one is then from an import or an older version, and nobody can say how the test failed.
    """
    lab_makes_tests: bool = False
    """Whether the lab defines the tests, so that an unknown test may belong to another lab."""
    tools: tuple[str, ...] = ()
    """Packages of the guest image whose versions are shown with its results."""
    caches: tuple[str, ...] = ()
    """Directories below the cache that `kdevops gc` may empty."""
    paths: Mapping[tuple[str, ...], Literal["file", "file or URL"]] = {}
    """Fields that name files: they are made absolute and must exist."""
    exclusive: Mapping[tuple[str, ...], tuple[tuple[str, ...], ...]] = {}
    """Members of which its section, or a section in it, takes one, each with the fields that belong to it.

    `--set` of one removes the others that the lab file has: {("source",): (("path",), ("git", "ref"))}.
    """
    environment: Mapping[str, str] = {}
    """Environment variables that set an entry of a field: regular expression whose group is the key → the field."""
    options: frozenset[str] = frozenset()
    """Fields set by options of `kdevops run`: groups (-g), exclude_groups (-x), start_after, count, soak, known."""
    test_pattern: str = ""
    """Arguments of `kdevops run` that go to the field `tests`: a regular expression for the whole word."""
    console_marks: tuple[str, ...] = ()
    """Beginnings of the kernel messages by which its harness marks the start of a test."""
    variables: Mapping[str, object] = {}
    """Ansible variables for guests that are already prepared."""
    imports: bool = False
    """Whether it can import results (`kdevops results import`)."""
    imports_expunges: bool = False
    """Whether it takes expunge lists for imported results."""

    @property
    def all_test_suites(self) -> tuple[str, ...]:
        """The first parts of its tests' ids."""
        return self.test_suites or (self.name,)
