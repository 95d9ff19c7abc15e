"""Whether there is anything to destroy, and whether it is gone: every case that is told apart."""

from __future__ import annotations

from itertools import product

import pytest

from kdevops.providers.terraform.destroying import After, Kept, Rest, Task, rest, task

FLAGS = (False, True)


@pytest.mark.parametrize(
    ("kept", "what"),
    [
        pytest.param(Kept(), Task.NOTHING, id="nothing was ever done"),
        pytest.param(Kept(rendered=True), Task.NOTHING, id="written, and never applied"),
        pytest.param(Kept(rendered=True, recorded=True), Task.DESTROY, id="recorded before anything was made"),
        pytest.param(Kept(rendered=True, state=True), Task.DESTROY, id="a state without a record"),
        pytest.param(Kept(rendered=True, backend=True), Task.DESTROY, id="the state may be somewhere else"),
        pytest.param(Kept(True, True, True, True), Task.DESTROY, id="all there is"),
        pytest.param(Kept(recorded=True), Task.OUT_OF_SIGHT, id="machines, and nothing to destroy them with"),
        pytest.param(Kept(recorded=True, state=True), Task.OUT_OF_SIGHT, id="a state without its configuration"),
        pytest.param(Kept(state=True), Task.NOTHING, id="a stray state that nobody recorded"),
    ],
)
def test_what_there_is_to_do(kept: Kept, what: Task) -> None:
    assert task(kept) is what


def test_a_record_of_machines_is_never_nothing() -> None:
    for rendered, state, backend in product(FLAGS, repeat=3):
        assert task(Kept(rendered, True, state, backend)) is not Task.NOTHING


@pytest.mark.parametrize(
    ("after", "what"),
    [
        (After(), Rest.NONE),
        (After(planned=True), Rest.LEFT),
        (After(resources=True), Rest.LEFT),
        (After(planned=True, resources=True), Rest.LEFT),
        (After(running=True), Rest.OUT_OF_SIGHT),
        (After(planned=True, running=True), Rest.LEFT),
    ],
)
def test_what_is_left(after: After, what: Rest) -> None:
    assert rest(after) is what
