from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.kernel.spec import Asked, BuildSpec, ConfigSpec, SourceSpec

texts = st.text(max_size=20)
tuples = st.lists(texts, max_size=3).map(tuple)
options = st.dictionaries(texts, texts, max_size=3)
sources = st.builds(
    SourceSpec,
    kind=st.sampled_from(["path", "tarball", "git", "package", "prebuilt"]),
    location=texts,
    ref=st.none() | texts,
    sha256=st.none() | texts,
)
specs = st.builds(
    BuildSpec,
    source=sources,
    patches=tuples,
    config=st.builds(ConfigSpec, base=texts, fragments=tuples, options=tuples, optional=tuples),
    asked=st.lists(st.builds(Asked, who=texts, required=options, optional=options), max_size=3).map(tuple),
    compiler=st.sampled_from(["gcc", "clang"]),
    jobs=st.none() | st.integers(1, 1000),
)


@given(specs)
def test_json_round_trip(spec: BuildSpec) -> None:
    assert BuildSpec.from_json(spec.to_json()) == spec


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
    )
)
def test_any_json_is_read_or_refused(data: object) -> None:
    with contextlib.suppress(UserError):
        BuildSpec.from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ('{"source": {"kind": "path", "location": "/x"}, "sauce": 1}', "unknown field 'sauce'"),
        ('{"source": {"kind": "path", "location": "/x", "depth": 1}}', "spec.source has an unknown field 'depth'"),
        ("{}", "spec lacks the required field 'source'"),
        (
            '{"source": {"kind": "svn", "location": "/x"}}',
            'spec.source.kind in the build spec must be path or .*found "svn"',
        ),
        ('{"source": {"kind": "path", "location": "/x"}, "jobs": true}', "spec.jobs .* whole number"),
        ('{"source": {"kind": "path", "location": "/x"}, "patches": "a.patch"}', "spec.patches .* a list"),
        (
            '{"source": {"kind": "path", "location": "/x"}, "asked": [{"who": "a", "required": {"X": 1}}]}',
            r"asked\[0\].required",
        ),
    ],
)
def test_refusals_name_the_field(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        BuildSpec.from_json(text)
