"""One form for every way to write the same JSON, so that equal content has an equal hash.

The form is that of RFC 8785 (JSON Canonicalization Scheme): no white space, names sorted by UTF-16 code
units, the shortest escapes, UTF-8. With one exception, since FHIR forbids the scheme's way with numbers: a
number keeps the digits that were written, so `1.50` and `1.5` differ, as they do in FHIR. Strings are left as
they are, narratives too: FHIR's own canonical form collapses their white space, which is a change.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from caregrid.content import jsontext

if TYPE_CHECKING:
    from collections.abc import Iterator


def canonical_json(content: bytes) -> bytes:
    """Return the canonical form of a JSON document.

    Raises:
        InputInvalid: it is empty, too large, or no JSON that has one meaning.
    """
    return jsontext.write(jsontext.parse(content), in_order=_sorted)


def content_digest(content: bytes) -> bytes:
    """Return the SHA-256 of the canonical form: equal for documents that say the same in the same digits.

    Raises:
        InputInvalid: as :func:`canonical_json`.
    """
    return hashlib.sha256(canonical_json(content)).digest()


def digest_of(value: Any) -> bytes:
    """Return the digest of what :func:`caregrid.content.jsontext.parse` returned."""
    return hashlib.sha256(jsontext.write(value, in_order=_sorted)).digest()


def _sorted(members: dict[str, Any]) -> Iterator[str]:
    try:
        return iter(sorted(members, key=_utf_16))
    except UnicodeEncodeError:
        return iter(members)  # writing it says what is wrong


def _utf_16(name: str) -> bytes:
    return name.encode("utf-16-be")
