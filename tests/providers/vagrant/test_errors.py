"""What Vagrant says when it fails: the messages of messages.yaml, any other, and any text at all."""

from __future__ import annotations

import re
import time
import unicodedata
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import InfrastructureError, UserError
from kdevops.providers.vagrant.errors import complaints, translate

TEXTS = st.text(alphabet=st.characters(), max_size=300)

MESSAGES = [
    (message["row"], message["output"], message["says"])
    for message in yaml.safe_load((Path(__file__).parent / "messages.yaml").read_text())
]


@pytest.mark.parametrize(("name", "output", "part"), MESSAGES, ids=lambda value: value if len(str(value)) < 40 else "")
def test_real_messages_are_understood(name: str, output: str, part: str) -> None:
    error = translate(f"Bringing machine 'lab-1' up with 'libvirt' provider...\n{output}\n", command="vagrant up")
    expected = next(complaint for complaint in complaints() if complaint.name == name)
    assert error.hint
    assert part in error.hint
    assert error.hint.startswith(expected.message.partition("{")[0].rstrip(" :"))
    assert isinstance(error, UserError if expected.kind == "user" else InfrastructureError)
    words = error.message.removeprefix("vagrant up failed: ")
    assert words in " ".join(re.sub(r"\S+:\d+:in `.*?': |^\s+from .*$", "", output, flags=re.MULTILINE).split()), (
        "its own words"
    )
    assert expected.match.search(words)


def test_every_row_has_a_message_of_its_own() -> None:
    assert {name for name, _, _ in MESSAGES} == {complaint.name for complaint in complaints()}
    assert len({complaint.name for complaint in complaints()}) == len(complaints())


def test_what_went_well_is_no_error() -> None:
    said = """\
Bringing machine 'lab-1' up with 'libvirt' provider...
==> lab-1: Box 'kdevops-9f' could not be found. Attempting to find and install...
    lab-1: Box Provider: libvirt
==> lab-1: Uploading base box image as volume into Libvirt storage...
==> lab-1: Creating image (snapshot of base box volume).
==> lab-1: Waiting for domain to get an IP address...
    lab-1: Warning: Connection refused. Retrying...
    lab-1: Warning: Authentication failure. Retrying...
==> lab-1: Machine booted and ready!
"""
    plain = " ".join(said.split())
    assert [complaint.name for complaint in complaints() if complaint.match.search(plain)] == []


def test_values_in_a_command_are_quoted_and_bounded() -> None:
    evil = "Name `x; rm -rf ~ $(id)` of domain about to create is already taken."
    error = translate(evil, command="vagrant up")
    assert error.hint
    assert error.hint.endswith("'x; rm -rf ~ $(id)'")
    error = translate(f"Could not open '{'a' * 190}': Permission denied", command="vagrant up")
    assert len(error.hint or "") < 400


def test_records_for_machines_are_read() -> None:
    said = (
        "1700000000,,ui,error,irrelevant\n1700000000,,error-exit,VagrantPlugins::ProviderLibvirt::Errors::DomainNameExists,"
        "Name `a%!(VAGRANT_COMMA)b` of domain about to create is already taken. Please try to run\\n`vagrant up` command again.\n"
    )
    error = translate(said, command="vagrant status")
    assert "Name `a,b` of domain about to create" in error.message
    assert "already has a guest a,b" in (error.hint or "")


UNKNOWN_TRACE = """\
Bringing machine 'lab-1' up with 'libvirt' provider...
/usr/share/vagrant/lib/vagrant/action/warden.rb:48:in `call': undefined method `each' for nil:NilClass (NoMethodError)
\tfrom /usr/share/vagrant/lib/vagrant/action/builtin/before_trigger.rb:23:in `call'
\tfrom /usr/bin/vagrant:178:in `<main>'
/usr/share/vagrant/lib/vagrant/machine.rb:9:in `rescue in act': it is broken (RuntimeError)
\tfrom /usr/bin/vagrant:178:in `<main>'
"""
BATCH_TRACE = """\
An error occurred while executing multiple actions in parallel.
Any errors that occurred are shown below.

An unexpected error occurred when executing the action on the
'lab-2' machine. Please report this as a bug:

the wheels came off

/usr/share/vagrant/lib/vagrant/action/warden.rb:48:in `call'
/usr/share/vagrant/lib/vagrant/batch_action.rb:101:in `block (2 levels) in run'
"""
PARAGRAPHS = """\
==> lab-1: Checking if box is up to date...
==> lab-1: Waiting for domain to get an IP address...
The machine could not do what
was asked of it.

    lab-1: Some progress
"""


@pytest.mark.parametrize(
    ("said", "gist"),
    [
        (UNKNOWN_TRACE, "vagrant up failed: it is broken"),
        (BATCH_TRACE, "vagrant up failed: the wheels came off"),
        (PARAGRAPHS, "vagrant up failed: The machine could not do what was asked of it."),
        ("==> a: Sending\n\r\x1b[KProgress: 0%\r\x1b[KProgress: 10%\r\x1b[K", "vagrant up failed: ==> a: Sending"),
        (
            "\r\x1b[KProgress: 7% (Rate: 12k/s, Estimated time remaining: 0:01:00)\r\x1b[KIt broke\n",
            "vagrant up failed: It broke",
        ),
        ("==> lab-1: Something new\n", "vagrant up failed: ==> lab-1: Something new"),
        ("", "vagrant up failed and said nothing"),
        ("\x1b[31mred\x1b[0m\x07\n", "vagrant up failed: red"),
    ],
)
def test_what_is_not_known_is_told_by_its_gist(said: str, gist: str) -> None:
    error = translate(said, command="vagrant up", log=Path("/l/vagrant.log"))
    assert isinstance(error, InfrastructureError)
    assert error.message == gist
    assert error.log == Path("/l/vagrant.log")
    assert error.hint
    assert "kdevops doctor --vagrant" in error.hint


FRAMES = st.sampled_from([line for line in UNKNOWN_TRACE.splitlines() if line.startswith("\t")])
KNOWN = st.sampled_from([output for _, output, _ in MESSAGES])


@given(st.lists(TEXTS | FRAMES | KNOWN, max_size=8).map("\n".join), TEXTS)
def test_any_output_makes_one_clean_line(output: str, command: str) -> None:
    error = translate(output, command=command)
    assert error.message
    assert error.hint
    for text in (error.message, error.hint):
        assert len(text) <= 4000
        assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs"} for character in text)


@given(st.lists(FRAMES | KNOWN, max_size=8).map("\n".join))
def test_no_trace_is_shown(output: str) -> None:
    message = translate(output, command="vagrant up").message
    assert "/usr/share/vagrant/lib/" not in message
    assert "in `" not in message


@pytest.mark.parametrize(("name", "output", "part"), MESSAGES)
@pytest.mark.parametrize("before", ["    lab-1: Some progress\n", "A sentence that fails\n\n", "\x1b[1m"])
def test_it_is_found_in_whatever_else_was_said(name: str, output: str, part: str, before: str) -> None:
    alone, among = (translate(text, command="c") for text in (output, before * 40 + output + before))
    assert part in (among.hint or "")
    assert (among.hint, type(among)) == (alone.hint, type(alone))


@pytest.mark.parametrize("text", ["a", "'", "x:1:in `", "Cannot recv data: ", "in `x' ", "The box 'x "])
def test_a_long_line_takes_no_time(text: str) -> None:
    started = time.process_time()
    translate(text * 50_000, command="vagrant up")
    assert time.process_time() - started < 2
