"""Equal content has one canonical form, and unequal content never has the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import InputInvalid
from caregrid.preprocessing import canonical_json, content_digest

if TYPE_CHECKING:
    import random

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


def shuffled(value: Any, order: random.Random) -> Any:
    """Return an equal value whose names come in another order."""
    if isinstance(value, dict):
        names = list(value)
        order.shuffle(names)
        return {name: shuffled(value[name], order) for name in names}
    return [shuffled(each, order) for each in value] if isinstance(value, list) else value


@given(values, st.randoms(use_true_random=False), st.sampled_from([None, 0, 4]), st.booleans())
def test_layout_and_order_make_no_difference(
    value: Any,
    order: random.Random,
    indent: int | None,
    ascii_only: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    """White space, escapes and the order of names are gone; what is said is still there."""
    one = json.dumps(value).encode()
    other = json.dumps(shuffled(value, order), indent=indent, ensure_ascii=ascii_only).encode()
    assert canonical_json(one) == canonical_json(other)
    assert json.loads(canonical_json(one)) == value
    assert canonical_json(canonical_json(one)) == canonical_json(one)


@given(values, values)
def test_different_content_differs(one: Any, other: Any) -> None:
    """Two documents have one form exactly if they hold the same names, values and digits."""
    same = repr(shuffled_back(one)) == repr(shuffled_back(other))
    assert same == (content_digest(json.dumps(one).encode()) == content_digest(json.dumps(other).encode()))


def shuffled_back(value: Any) -> Any:
    """Return a value with its names sorted, that two of them can be compared by how they look."""
    if isinstance(value, dict):
        return {name: shuffled_back(value[name]) for name in sorted(value)}
    return [shuffled_back(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "number", ["1.50", "1.5", "1e2", "1E+2", "100", "-0", "0.10", "9" * 400, "1." + "0" * 400]
)
def test_digits_stay_as_written(number: str) -> None:
    """In FHIR 1.50 and 1.5 are not the same measurement, so no digit is touched."""
    assert canonical_json(f"[ {number} ]".encode()) == f"[{number}]".encode()


def test_example_of_the_rfc() -> None:
    """Strings and the order of names are as in RFC 8785, section 3.2.2 and 3.2.3."""
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\xf6"]
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\xf6"]
    written = json.dumps(dict.fromkeys(names))
    in_order = ["\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical_json(written.encode()))) == in_order
    string = b'"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/"'
    assert canonical_json(string) == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[NaN]",
        b"[-Infinity]",
        b'{"a":1,"a":1}',
        b'["\\ud800"]',
        b'{"\\ud800":1}',
        b"[" * 100_000,
        b"[" * 980 + b"]" * 980,
        b"[1] 2",
    ],
)
def test_content_without_one_meaning_is_refused(content: bytes) -> None:
    """What is no JSON, or may be read in two ways, has no canonical form."""
    with pytest.raises(InputInvalid):
        canonical_json(content)
