"""Errors of Terraform, OpenTofu and cloud providers: their own words, what they mean and how to fix them.

Rows are matched in summaries and details only: the source code and the values printed around them are the user's.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from kdevops.errors import KdevopsError
from kdevops.lab.cloud import all_facts
from kdevops.lab.complaint import Complaint
from kdevops.providers.shared.complaints import EXAMINED, failure, meaning_of, rows_of
from kdevops.providers.terraform.diagnostics import Diagnostic, diagnostics_in, read_line
from kdevops.text import clean

_LINE_LIMIT = 2000
_MOST_ERRORS = 5
"""Errors quoted in a message; the log has them all."""


@cache
def complaints() -> tuple[Complaint, ...]:
    """All known errors, specific ones before general ones: Terraform's own, each cloud's, those of any cloud."""
    of_clouds = (row for facts in all_facts().values() for row in facts.errors)
    return (*rows_of("terraform/errors.yaml"), *of_clouds, *rows_of("terraform/errors_of_clouds.yaml"))


def translate(output: str, *, command: str, log: Path | None = None) -> KdevopsError:
    """The error for a failed `command`, from its output on both streams, with -json or without.

    Its message is Terraform's: summary and detail of each error, or the last line if there is none. UserError if the
    lab or the account must be changed, in particular for a value that the module rejects.
    """
    text = clean(output[-EXAMINED:], lines=True)
    errors = [each for each in diagnostics_in(text) if each.is_error]
    if errors:
        plain = " ".join(f"Error: {' '.join(each.summary.split())} {' '.join(each.detail.split())}" for each in errors)
        words = _words(errors)
    else:
        lines = [
            each.strip()[:_LINE_LIMIT] for line in text.splitlines() for each in read_line(line)[0] if each.strip()
        ]
        plain = " ".join(word for line in lines for word in line.split())
        words = lines[-1] if lines else ""
    return failure(command, words, meaning_of(plain, complaints()), hint=f"see {log}" if log else None, log=log)


def _words(errors: list[Diagnostic]) -> str:
    distinct = list(dict.fromkeys(each.words for each in errors))
    rest = len(distinct) - _MOST_ERRORS
    return "; ".join(distinct[:_MOST_ERRORS]) + (f"; and {rest} more errors" if rest > 0 else "")
