"""What Vagrant, libvirt and VirtualBox complain of, told as what is wrong and the command that mends it.

The messages are Vagrant's (templates/locales/en.yml of its sources), its libvirt plugin's (locales/en.yml), and those of libvirt,
QEMU and VBoxManage which the two pass on. `errors.yaml` says what each means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kdevops.errors import InfrastructureError, KdevopsError
from kdevops.providers.shared.complaints import EXAMINED, MESSAGE_LIMIT, Complaint, complaints_of, recognised
from kdevops.text import clean

_LINE_LIMIT = 2000
_COMMAND_LIMIT = 100

# A line of `vagrant --machine-readable`: time, machine, "error-exit" and a class or "ui" and a level, then the message.
_RECORD = re.compile(r"^\d+,[^,\n]*,(?:error-exit|ui),[^,\n]*,(.*)$", re.MULTILINE)
# Ruby's traces: "FILE:LINE:in `METHOD'", with "from" or a number before it, and behind the first of them the message.
_FRAME = re.compile(r"^\s*(?:\d+: )?(?:from )?\S+:\d+:in [`'].*?'(?:: (?P<message>.*?)(?P<kind> \([A-Z][\w:]*\))?)?$")
_STRAY_FRAME = re.compile(r"\S{1,200}:\d+:in [`'][^`']*':? ?")
_NOISE = re.compile(r"^\s*(?:Traceback \(most recent call last\)|\.\.\. \d+ levels\.\.\.|\S+: warning: )")
_METER = re.compile(r" ?Progress: \d{1,3}%(?: \([^()\n]{0,100}\))? ?")
_PROGRESS = re.compile(r"^(?:==> | {4}\S+: )")
_TELLING = re.compile(
    r"error|fail|cannot|could not|couldn't|unable|denied|refused|not found|no such|timed out|invalid", re.IGNORECASE
)


def complaints() -> tuple[Complaint, ...]:
    """All that we know, the special before the general."""
    return complaints_of("vagrant")


def translate(output: str, *, command: str, log: Path | None = None) -> KdevopsError:
    """The error for a `command` of Vagrant's or virsh's that failed with this output, of both streams.

    The first complaint in the data's order that is anywhere in it; of one that we do not know, its most telling sentence,
    and nothing of a Ruby trace.
    """
    text = _METER.sub("", _RECORD.sub(_message_of, clean(output[-EXAMINED:], lines=True)))
    lines = [line[:_LINE_LIMIT] for line in text.splitlines()]
    plain = " ".join(word for line in lines for word in _without_trace(line).split())
    if known := recognised("vagrant", plain, log):
        return known
    said = _gist(lines)
    message = f"{clean(command, _COMMAND_LIMIT)} failed" + (f": {said}" if said else " and said nothing")
    hint = "see whether this machine has what it takes: kdevops doctor --vagrant"
    return InfrastructureError(clean(message, MESSAGE_LIMIT), hint=hint, log=log)


def _message_of(record: re.Match[str]) -> str:
    return record[1].replace("%!(VAGRANT_COMMA)", ",").replace("\\n", "\n")


def _gist(lines: list[str]) -> str:
    """The message of the last Ruby trace, else the last paragraph that sounds like an error, else the last one.

    A paragraph that ends in a colon only announces the next.
    """
    frames = [found for line in lines if (found := _FRAME.match(line))]
    raised = [message for frame in frames if (message := _without_frames(frame["message"] or ""))]
    if raised:
        return raised[-1]
    paragraphs = list(_paragraphs(lines))
    telling = [number for number, paragraph in enumerate(paragraphs) if _TELLING.search(paragraph)]
    last = paragraphs[telling[-1] :] if telling else paragraphs[-1:]
    return next((paragraph for paragraph in last if not paragraph.endswith(":")), "".join(last[:1]))


def _paragraphs(lines: list[str]) -> Iterator[str]:
    """What stands between empty lines, each as one line; a line of progress is one of its own."""
    collected: list[str] = []
    for line in [*lines, ""]:
        text = "" if _FRAME.match(line) or _NOISE.match(line) else _without_frames(line)
        if (not text or _PROGRESS.match(line)) and collected:
            yield " ".join(collected)
            collected = []
        if _PROGRESS.match(line) and text:
            yield text
        elif text:
            collected.append(text)


def _without_trace(line: str) -> str:
    """Of a line of a trace the message alone, with Ruby's word for its kind."""
    frame = _FRAME.match(line)
    return _without_frames(f"{frame['message'] or ''}{frame['kind'] or ''}" if frame else line)


def _without_frames(text: str) -> str:
    return _STRAY_FRAME.sub("", text).strip()
