"""What becomes of a bundle's entries: which say the same, and which refer to each other.

Resources stay byte for byte as their sender wrote them, references too. Where a reference such as
`urn:uuid:...` leads, a Provenance beside the records says: :mod:`caregrid.preprocessing.provenance`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.content import jsontext
from caregrid.errors import InputInvalid
from caregrid.preprocessing.canonical import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from caregrid.fhir.bundle import Entry

#: Full URLs of this kind mean something in their bundle only; others lead to a server.
_URN: Final = "urn:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Relations:
    """How the entries of a bundle stand to each other."""

    duplicates: dict[int, int]  #: index of an entry to that of the first one that says the same
    linked: bool  #: some resource refers to an entry by a URL that leads nowhere outside of the bundle
    digests: dict[int, bytes]  #: of what an entry says, by index: that of its canonical form


def relations(entries: Sequence[Entry], indexes: Iterable[int]) -> Relations:
    """Look at some entries of a bundle.

    Entries are duplicates if their resources have one canonical form: the same names, values and digits, in
    whatever order and layout.

    Args:
        entries: all of the bundle.
        indexes: of those that are looked at; each has a resource.
    """
    urls = {
        entry.full_url for entry in entries if entry.full_url is not None and entry.full_url.startswith(_URN)
    }
    first: dict[bytes, int] = {}
    duplicates: dict[int, int] = {}
    digests: dict[int, bytes] = {}
    linked = False
    for index in indexes:
        read = _read(entries[index].resource)
        if read is None:
            continue
        value, digests[index] = read
        known = first.setdefault(digests[index], index)
        if known != index:
            duplicates[index] = known
        linked = linked or any(text in urls for text in _strings(value))
    return Relations(duplicates=duplicates, linked=linked, digests=digests)


def _read(resource: bytes | None) -> tuple[Any, bytes] | None:
    try:
        value = None if resource is None else jsontext.parse(resource)
        return None if value is None else (value, digest_of(value))
    except InputInvalid:
        return None  # the validator says what is wrong with it


def _strings(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
