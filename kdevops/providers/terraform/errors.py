"""What Terraform, OpenTofu and the providers of clouds complain of, told as what is wrong and the command that mends it.

The messages are those of Terraform's sources (internal/command, internal/backend), of terraform-provider-{aws,google,azurerm,oci,
openstack}, and of the clouds' interfaces that these pass on. `errors.yaml` says what each means.
"""

from __future__ import annotations

import re
from pathlib import Path

from kdevops.errors import InfrastructureError, KdevopsError
from kdevops.providers.shared.complaints import EXAMINED, MESSAGE_LIMIT, Complaint, complaints_of, recognised
from kdevops.text import clean

_LINE_LIMIT = 2000
_MARGIN = re.compile(r"^\s*(?:[│╷╵├]─*\s*)+")
_ERROR = re.compile(r"^Error: (.+)")
_PLACE = re.compile(r"^\s*(?:with \S+,|on \S+ line \d+.*|\d+:.*)$")
_REASON_LIMIT = 240


def complaints() -> tuple[Complaint, ...]:
    """All that we know, the special before the general."""
    return complaints_of("terraform")


def translate(output: str, *, command: str, log: Path | None = None) -> KdevopsError:
    """The error for a `command` that failed with this output, of both streams.

    The first complaint in the data's order that is anywhere in it; of one that we do not know, Terraform's first error.
    """
    text = clean(output[-EXAMINED:], lines=True)
    lines = [_MARGIN.sub("", line[:_LINE_LIMIT]) for line in text.splitlines()]
    plain = " ".join(word for line in lines if not _PLACE.match(line) for word in line.split())
    if known := recognised("terraform", plain, log):
        return known
    said = _first_error(lines)
    message = f"{clean(command, 100)} failed" + (f": {said}" if said else " and said nothing")
    return InfrastructureError(clean(message, MESSAGE_LIMIT), hint=f"see {log}" if log else None, log=log)


def _first_error(lines: list[str]) -> str:
    """The summary of the first diagnostic and the first paragraph of its detail; without any, the last line."""
    for number, line in enumerate(lines):
        if found := _ERROR.match(line.strip()):
            detail: list[str] = []
            for each in lines[number + 1 :]:
                if _ERROR.match(each.strip()) or (detail and not each.strip()):
                    break
                if each.strip() and not _PLACE.match(each):
                    detail.append(each.strip())
            return clean(": ".join(filter(None, (found[1], " ".join(detail)))), _REASON_LIMIT)
    return next((line.strip()[:_REASON_LIMIT] for line in reversed(lines) if line.strip()), "")
