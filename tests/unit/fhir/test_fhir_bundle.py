"""Bundles come apart into the very bytes that were put in, or not at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.content import sniffing
from caregrid.errors import InputEmpty, InputInvalid, InputTooLarge, JsonBroken
from caregrid.fhir import MAX_ENTRIES, is_bundle, split_bundle

ODD_RESOURCE = '{ "b":1.50,\n\t"a" : {"value": 0.10, "x":[-0.0,1E+2]},"é":"\\u00e9/\\/" }'
BROKEN = "the bundle is not JSON"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
written = st.builds(
    lambda value, indent, ascii_only: json.dumps(value, indent=indent, ensure_ascii=ascii_only),
    json_values,
    st.sampled_from([None, 0, 3]),
    st.booleans(),
)


def bundle(*resources: str, kind: str = "transaction") -> bytes:
    """Return a bundle of resources given as JSON texts."""
    entries = ",".join(f'{{"fullUrl":"urn:x", "resource" : {each} ,"request":{{}}}}' for each in resources)
    return f'{{"resourceType":"Bundle","entry":[{entries}],"type":"{kind}"}}'.encode()


@given(st.lists(written, max_size=5))
def test_resources_are_returned_as_written(texts: list[str]) -> None:
    """Whatever the layout, escapes and digits of a resource, its bytes come back unchanged and in order."""
    assert split_bundle(bundle(*texts)) == [text.encode() for text in texts]


def test_digits_and_layout_survive() -> None:
    """A trailing zero, which states precision in FHIR, is not lost, nor is anything else."""
    assert split_bundle(bundle(ODD_RESOURCE)) == [ODD_RESOURCE.encode()]


@pytest.mark.parametrize("kind", ["transaction", "batch", "collection"])
def test_loose_bundles_are_split(kind: str) -> None:
    """Entries that stand for themselves become records of their own."""
    assert split_bundle(bundle('{"a":1}', "{}", kind=kind)) == [b'{"a":1}', b"{}"]


@pytest.mark.parametrize("kind", ["document", "message", "searchset", "history", "transaction-response", "?"])
def test_other_bundles_stay_whole(kind: str) -> None:
    """A document or message means something as a whole only, so it stays one record."""
    content = bundle('{"a":1}', "{}", kind=kind)
    (whole,) = split_bundle(content)
    assert whole is content


@pytest.mark.parametrize("head", ['{"resourceType":"Bundle"}', '{"resourceType":"Bundle","type":["batch"]}'])
def test_bundle_without_usable_type_stays_whole(head: str) -> None:
    """A bundle that does not say what it is goes to the validator as it is."""
    assert split_bundle(head.encode()) == [head.encode()]


def test_entries_without_resource_keep_their_place() -> None:
    """A request to delete has no resource: None stands in its place, so indexes stay those of entries."""
    content = (
        b'{"resourceType":"Bundle","type":"batch","entry":['
        b'{"request":{"method":"DELETE","url":"Patient/1"}},{"resource":{"a":1}},{}]}'
    )
    assert split_bundle(content) == [None, b'{"a":1}', None]


def test_bundle_without_entries_is_empty() -> None:
    """No entries, no records."""
    assert split_bundle(b' {"type":"batch","resourceType":"Bundle"} \n') == []
    assert split_bundle(bundle()) == []


def test_number_of_entries_is_bounded() -> None:
    """One entry more than the bound is refused; the bound itself is not."""
    assert len(split_bundle(bundle(*["{}"] * MAX_ENTRIES))) == MAX_ENTRIES
    with pytest.raises(InputInvalid, match="more than 10000 entries"):
        split_bundle(bundle(*["{}"] * (MAX_ENTRIES + 1)))


def test_every_truncation_is_refused() -> None:
    """A bundle that was cut anywhere is never taken for a smaller one."""
    content = bundle(ODD_RESOURCE, "{}")
    for length in range(1, len(content)):
        with pytest.raises(InputInvalid):
            split_bundle(content[:length])


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", InputEmpty, "empty"),
        (b"\xff{}", JsonBroken, "not UTF-8"),
        (b'\xef\xbb\xbf{"resourceType":"Bundle"}', InputInvalid, "malformed"),
        (b"[]", InputInvalid, "malformed"),
        (b'{"resourceType":"Patient","type":"batch"}', InputInvalid, "not a FHIR Bundle"),
        (b'{"resourceType":"Bundle","type":"batch"} {}', JsonBroken, BROKEN),
        (b'{"resourceType":"Bundle","type":"batch",}', JsonBroken, BROKEN),
        (b'{"resourceType":"Bundle" "type":"batch"}', JsonBroken, BROKEN),
        (b'{"resourceType":"Bundle","type"}', JsonBroken, BROKEN),
        (b'{7:"Bundle","type":"batch"}', JsonBroken, BROKEN),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{} {}]}', JsonBroken, BROKEN),
        (b'{"resourceType":"Bundle","type":"batch","entry":{}}', InputInvalid, "malformed"),
        (b'{"resourceType":"Bundle","type":"batch","entry":[5]}', InputInvalid, "malformed"),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{}],"entry":[]}', JsonBroken, "more than once"),
        (
            b'{"resourceType":"Bundle","type":"batch","entry":[{"resource":{},"resource":{}}]}',
            JsonBroken,
            "once",
        ),
        (b'{"resourceType":"Bundle","type":"batch","x":' + b"[" * 100_000, JsonBroken, "too deeply"),
    ],
)
def test_unusable_bundles_are_refused(content: bytes, error: type[Exception], message: str) -> None:
    """Broken or ambiguous bundles raise a typed error, whose message quotes nothing of them."""
    with pytest.raises(error, match=message):
        split_bundle(content)


def test_errors_do_not_carry_the_content() -> None:
    """The shown cause of a parse error would hold the whole text, so there is none."""
    with pytest.raises(JsonBroken) as caught:
        split_bundle(b'{"resourceType":"Bundle","type":"secret')
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None
    assert "secret" not in str(caught.value)


def test_huge_content_is_refused_unparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Content over the limit is not parsed, and the error names the limit."""
    monkeypatch.setattr(sniffing, "MAX_TEXT_BYTES", 10)
    with pytest.raises(InputTooLarge) as caught:
        split_bundle(bundle("{}"))
    assert caught.value.limit == 10


@pytest.mark.parametrize(
    "content",
    [
        bundle(),
        bundle(kind="document"),
        b'{"entry":[{"resource":{"resourceType":"Patient"}}],"resourceType":"Bundle"}',
        b'{"resourceType":"Bundle", and then nonsense',
    ],
)
def test_is_bundle_reads_the_outermost_type(content: bytes) -> None:
    """A bundle is known by its own `resourceType`, wherever in the object it stands."""
    assert is_bundle(content)


@pytest.mark.parametrize(
    "content",
    [
        b'{"resourceType":"Patient","x":{"resourceType":"Bundle"}}',
        b'"Bundle"',
        b'{"resourceType":"Bund',
        b"\xff\xfe",
        b"",
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_is_bundle_never_fails(content: bytes) -> None:
    """Other resources and broken content are no bundles, and asking does not raise."""
    assert not is_bundle(content)


@given(st.binary(max_size=60) | written.map(str.encode))
def test_arbitrary_content_splits_or_is_refused(content: bytes) -> None:
    """Any bytes give parts or an InputInvalid, and `is_bundle` never raises."""
    try:
        split_bundle(content)
    except InputInvalid:
        return
    assert is_bundle(content)
