"""What every key store promises."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import pytest

from caregrid.errors import InputInvalid, WrongKey
from caregrid.keys import FileKeyStore, KdfCost, KeyStore, MemoryKeyStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECORD: Final = bytes(range(16))
DATA_KEY: Final = bytes(range(32))
CHEAP: Final = KdfCost(memory_kib=8, iterations=1, lanes=1)


@pytest.fixture(params=["memory", "file"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], KeyStore]:
    """Give a maker of key stores, each with a master key of its own."""

    def new_file_store() -> KeyStore:
        return FileKeyStore.create(tmp_path / secrets.token_hex(4), "correct horse", cost=CHEAP)

    return MemoryKeyStore if request.param == "memory" else new_file_store


@pytest.fixture
def store(new_store: Callable[[], KeyStore]) -> KeyStore:
    """Give one key store."""
    return new_store()


def test_what_is_wrapped_unwraps(store: KeyStore) -> None:
    """The same store gives the data key back for the same record."""
    assert store.unwrap(RECORD, store.wrap(RECORD, DATA_KEY)) == DATA_KEY


def test_the_data_key_does_not_show(store: KeyStore) -> None:
    """Wrapped keys hold no part of the key, and wrapping twice gives nothing alike."""
    one, other = store.wrap(RECORD, DATA_KEY), store.wrap(RECORD, DATA_KEY)
    assert DATA_KEY[:8] not in one
    assert one != other


def test_another_record_does_not_unwrap(store: KeyStore) -> None:
    """A wrapped key moved to another record's row is refused."""
    wrapped = store.wrap(RECORD, DATA_KEY)
    with pytest.raises(WrongKey):
        store.unwrap(bytes(16), wrapped)


def test_another_store_does_not_unwrap(new_store: Callable[[], KeyStore]) -> None:
    """Under another master key nothing opens."""
    wrapped = new_store().wrap(RECORD, DATA_KEY)
    with pytest.raises(WrongKey):
        new_store().unwrap(RECORD, wrapped)


def test_every_flipped_byte_is_refused(store: KeyStore) -> None:
    """No byte of a wrapped key can change unnoticed, the version included."""
    wrapped = store.wrap(RECORD, DATA_KEY)
    for position in range(len(wrapped)):
        forged = bytearray(wrapped)
        forged[position] ^= 1
        with pytest.raises(WrongKey):
            store.unwrap(RECORD, bytes(forged))


def test_every_wrong_length_is_refused(store: KeyStore) -> None:
    """Cut or lengthened, a wrapped key does not open."""
    wrapped = store.wrap(RECORD, DATA_KEY)
    for forged in [wrapped[:stop] for stop in range(len(wrapped))] + [wrapped + b"\0"]:
        with pytest.raises(WrongKey):
            store.unwrap(RECORD, forged)


@pytest.mark.parametrize(
    ("record_id", "data_key"), [(RECORD, bytes(31)), (RECORD, b""), (bytes(15), DATA_KEY)]
)
def test_wrong_input_lengths_are_told(store: KeyStore, record_id: bytes, data_key: bytes) -> None:
    """What cannot be a data key or a record id is an input error, not a wrapped key."""
    with pytest.raises(InputInvalid):
        store.wrap(record_id, data_key)


def test_the_store_shows_nothing_of_itself(store: KeyStore) -> None:
    """A key store in a log line or traceback is its class name."""
    assert repr(store) == f"<{type(store).__name__}>"
