"""Errors of Vagrant, libvirt and VirtualBox: their own words, what they mean and how to fix them.

The messages are Vagrant's (templates/locales/en.yml of its sources), its libvirt plugin's (locales/en.yml), and those
of libvirt, QEMU and VBoxManage which the two pass on. `errors.yaml` gives the meanings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from kdevops.errors import KdevopsError
from kdevops.lab.complaint import Complaint
from kdevops.providers.shared.complaints import EXAMINED, Meaning, failure, meaning_of, rows_of
from kdevops.text import clean

_LINE_LIMIT = 2000

# A line of `vagrant --machine-readable`: time, machine, "error-exit" and a class or "ui" and a level, then the message.
_RECORD = re.compile(r"^\d+,[^,\n]*,(?:error-exit|ui),[^,\n]*,(.*)$", re.MULTILINE)
# Ruby's traces: "FILE:LINE:in `METHOD'", with "from" or a number before it; the message follows the first of them.
_FRAME = re.compile(r"^\s*(?:\d+: )?(?:from )?\S+:\d+:in [`'].*?'(?:: (?P<message>.*?)(?P<kind> \([A-Z][\w:]*\))?)?$")
_STRAY_FRAME = re.compile(r"\S{1,200}:\d+:in [`'][^`']*':? ?")
_NOISE = re.compile(r"^\s*(?:Traceback \(most recent call last\)|\.\.\. \d+ levels\.\.\.|\S+: warning: )")
_METER = re.compile(r" ?Progress: \d{1,3}%(?: \([^()\n]{0,100}\))? ?")
_PROGRESS = re.compile(r"^(?:==> | {4}\S+: |Bringing machine ')")
_TELLING = re.compile(
    r"error|fail|cannot|could not|couldn't|unable|denied|refused|not found|no such|timed out|invalid", re.IGNORECASE
)


@cache
def complaints() -> tuple[Complaint, ...]:
    """All known errors, specific ones before general ones."""
    return rows_of("vagrant/errors.yaml")


def translate(output: str, *, command: str, log: Path | None = None) -> KdevopsError:
    """The error for a failed `command` of Vagrant or virsh, from its output on both streams.

    Its message is the tool's: the paragraphs that match a row, else the most relevant one, without any Ruby trace.
    """
    words, meaning = understand(output)
    hint = "check this machine with: kdevops doctor --vagrant"
    return failure(command, words, meaning, hint=hint, log=log)


def understand(output: str) -> tuple[str, Meaning | None]:
    """The relevant words of an output, and their meaning if a row matches."""
    text = _METER.sub("", _RECORD.sub(_message_of, clean(output[-EXAMINED:], lines=True)))
    lines = [line[:_LINE_LIMIT] for line in text.splitlines()]
    paragraphs = [" ".join(each.split()) for each in _paragraphs(lines, raised=True)]
    meaning = meaning_of(" ".join(paragraphs), complaints())
    return (_gist(lines), None) if meaning is None else (_touched(paragraphs, meaning.span), meaning)


def _touched(paragraphs: Sequence[str], span: tuple[int, int]) -> str:
    """The paragraphs that overlap with `span` of the text joined by blanks."""
    found, at = [], 0
    for each in paragraphs:
        if at < span[1] and at + len(each) > span[0]:
            found.append(each)
        elif found and found[-1].endswith(":"):
            found.append(each)  # a paragraph that ends in a colon only introduces the next one
        at += len(each) + 1
    return " ".join(found)


def _message_of(record: re.Match[str]) -> str:
    return record[1].replace("%!(VAGRANT_COMMA)", ",").replace("\\n", "\n")


def _gist(lines: list[str]) -> str:
    """The message of the last Ruby trace, else the last paragraph that sounds like an error, else the last one.

    A paragraph that ends in a colon only introduces the next one.
    """
    frames = [found for line in lines if (found := _FRAME.match(line))]
    raised = [message for frame in frames if (message := _without_frames(frame["message"] or ""))]
    if raised:
        return raised[-1]
    paragraphs = list(_paragraphs(lines))
    telling = [number for number, paragraph in enumerate(paragraphs) if _TELLING.search(paragraph)]
    last = paragraphs[telling[-1] :] if telling else paragraphs[-1:]
    return next((paragraph for paragraph in last if not paragraph.endswith(":")), "".join(last[:1]))


def _paragraphs(lines: list[str], *, raised: bool = False) -> Iterator[str]:
    """The paragraphs between empty lines, each as one line; a progress line is a paragraph of its own.

    Ruby traces are dropped, or with `raised` replaced by the message with Ruby's error class.
    """
    collected: list[str] = []
    for line in [*lines, ""]:
        frame = _FRAME.match(line)
        alone = bool(_PROGRESS.match(line) or frame)
        if frame:
            text = _without_frames(f"{frame['message'] or ''}{frame['kind'] or ''}") if raised else ""
        else:
            text = "" if _NOISE.match(line) else _without_frames(line)
        if (not text or alone) and collected:
            yield " ".join(collected)
            collected = []
        if alone and text:
            yield text
        elif text:
            collected.append(text)


def _without_frames(text: str) -> str:
    return _STRAY_FRAME.sub("", text).strip()
