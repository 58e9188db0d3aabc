"""What every key store promises."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from caregrid.errors import InputInvalid, KeyVersionUnknown, WrongKey
from caregrid.keys.envelope import header
from tests.key_stores import key_stores
from tests.soft_hsm import soft_hsm
from tests.vault_server import running_vault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from caregrid.keys import KeyStore
    from tests.key_stores import KeyStores
    from tests.soft_hsm import SoftHsm
    from tests.vault_server import VaultServer

RECORD: Final = bytes(range(16))
OTHER: Final = bytes(16)
DATA_KEY: Final = bytes(range(32))
KINDS: Final = ("memory", "file", "vault", "pkcs11")


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """Give a server that stands in for Vault."""
    with running_vault(tmp_path_factory.mktemp("vault")) as server:
        yield server


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    """Give a SoftHSM2."""
    yield from soft_hsm(tmp_path_factory.mktemp("hsm"))


@pytest.fixture
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyStores]:
    """Give a maker of key stores; servers start when they are needed."""
    with key_stores(
        tmp_path_factory.mktemp("keys"),
        vault=lambda: request.getfixturevalue("vault"),
        hsm=lambda: request.getfixturevalue("hsm"),
    ) as made:
        yield made


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Give each kind of store."""
    return str(request.param)


@pytest.fixture
def store(stores: KeyStores, kind: str) -> KeyStore:
    """Give one key store."""
    return stores.new(kind)


def test_what_is_wrapped_unwraps(store: KeyStore) -> None:
    """The same store gives the data key back for the same record."""
    assert DATA_KEY == store.unwrap(RECORD, store.wrap(RECORD, DATA_KEY))


def test_the_data_key_does_not_show(store: KeyStore) -> None:
    """Wrapped keys hold no part of the key, and wrapping twice gives nothing alike."""
    one, other = store.wrap(RECORD, DATA_KEY), store.wrap(RECORD, DATA_KEY)
    assert DATA_KEY[:8] not in one
    assert one != other


def test_another_record_does_not_unwrap(store: KeyStore) -> None:
    """A wrapped key moved to another record's row is refused, before and after a rotation."""
    wrapped = store.wrap(RECORD, DATA_KEY)
    with pytest.raises(WrongKey):
        store.unwrap(OTHER, wrapped)
    store.rotate()
    with pytest.raises(WrongKey):
        store.rewrap(OTHER, wrapped)


def test_another_store_does_not_unwrap(stores: KeyStores, kind: str) -> None:
    """Under another master key nothing opens, and the refusal is no unknown version."""
    wrapped = stores.new(kind).wrap(RECORD, DATA_KEY)
    with pytest.raises(WrongKey) as caught:
        stores.new(kind).unwrap(RECORD, wrapped)
    assert not isinstance(caught.value, KeyVersionUnknown)


@pytest.mark.parametrize("rotations", [0, 1])
def test_every_flipped_byte_is_refused(store: KeyStore, rotations: int) -> None:
    """No byte of a wrapped key can change unnoticed, the version included; the store goes on."""
    for _ in range(rotations):
        store.rotate()
    wrapped = store.wrap(RECORD, DATA_KEY)
    for position in range(len(wrapped)):
        forged = bytearray(wrapped)
        forged[position] ^= 1
        with pytest.raises(WrongKey):
            store.unwrap(RECORD, bytes(forged))
    assert DATA_KEY == store.unwrap(RECORD, wrapped)


def test_every_wrong_length_is_refused(store: KeyStore) -> None:
    """Cut or lengthened, a wrapped key does not open."""
    wrapped = store.wrap(RECORD, DATA_KEY)
    cut = [wrapped[:stop] for stop in range(len(wrapped))]
    for forged in [*cut, wrapped + b"\0", wrapped + bytes(600)]:
        with pytest.raises(WrongKey):
            store.unwrap(RECORD, forged)
        with pytest.raises(WrongKey):
            store.rewrap(RECORD, forged)


@pytest.mark.parametrize(
    ("record_id", "data_key"), [(RECORD, bytes(31)), (RECORD, b""), (bytes(15), DATA_KEY)]
)
def test_wrong_input_lengths_are_told(store: KeyStore, record_id: bytes, data_key: bytes) -> None:
    """What cannot be a data key or a record id is an input error, not a wrapped key."""
    with pytest.raises(InputInvalid):
        store.wrap(record_id, data_key)


def test_the_store_shows_nothing_of_itself(store: KeyStore) -> None:
    """A key store in a log line or traceback is its class name."""
    assert f"<{type(store).__name__}>" == repr(store)


def test_a_new_store_has_version_1(store: KeyStore) -> None:
    """Its number stands in what it wraps, and it knows when it was made."""
    (only,) = store.versions()
    assert 1 == only.number == store.version_of(store.wrap(RECORD, DATA_KEY))
    assert only.created_at is not None
    assert timedelta(minutes=10) > abs(only.created_at - datetime.now(UTC))


def test_a_rotation_keeps_old_keys_readable(store: KeyStore) -> None:
    """The new version wraps, all of them unwrap, and each wrapped key names its own."""
    wrapped = [store.wrap(RECORD, DATA_KEY)]
    for _ in range(2):
        store.rotate()
        wrapped.append(store.wrap(RECORD, DATA_KEY))
    assert [1, 2, 3] == [each.number for each in store.versions()]
    assert [1, 2, 3] == [store.version_of(each) for each in wrapped]
    assert [DATA_KEY] * 3 == [store.unwrap(RECORD, each) for each in wrapped]
    assert [header(1), header(2), header(3)] == [
        each[: len(header(number))] for number, each in enumerate(wrapped, 1)
    ]


def test_a_rotation_returns_the_new_version(store: KeyStore) -> None:
    """Numbers count up by one."""
    assert [2, 3] == [store.rotate(), store.rotate()]


def test_rewrapping_changes_the_version_alone(store: KeyStore) -> None:
    """The data key stays what it is, and so does the record it belongs to."""
    old = store.wrap(RECORD, DATA_KEY)
    store.rotate()
    new = store.rewrap(RECORD, old)
    assert (2, DATA_KEY) == (store.version_of(new), store.unwrap(RECORD, new))
    with pytest.raises(WrongKey):
        store.unwrap(OTHER, new)


def test_many_are_rewrapped_in_their_order(store: KeyStore) -> None:
    """More than one batch holds; what does not open is None in its place, and spoils no other."""
    keys = [bytes([number % 256]) * 32 for number in range(150)]
    kept = [(RECORD, store.wrap(RECORD, key)) for key in keys]
    altered = kept[3][1][:-1] + bytes([kept[3][1][-1] ^ 1])
    kept[3], kept[5], kept[140] = (RECORD, altered), (RECORD, b"nothing"), (OTHER, kept[140][1])
    store.rotate()
    done = store.rewrap_all(kept)
    assert [3, 5, 140] == [place for place, each in enumerate(done) if each is None]
    assert {2} == {store.version_of(each) for each in done if each is not None}
    opened = [None if each is None else store.unwrap(RECORD, each) for each in done]
    assert [None if place in {3, 5, 140} else key for place, key in enumerate(keys)] == opened
    assert [] == store.rewrap_all([])


def test_a_retired_version_opens_nothing(store: KeyStore) -> None:
    """It and all older ones are refused as unknown; newer ones go on."""
    wrapped = [store.wrap(RECORD, DATA_KEY)]
    for _ in range(3):
        store.rotate()
        wrapped.append(store.wrap(RECORD, DATA_KEY))
    store.retire(2)
    assert [3, 4] == [each.number for each in store.versions()]
    for refused in wrapped[:2]:
        with pytest.raises(KeyVersionUnknown):
            store.unwrap(RECORD, refused)
        with pytest.raises(KeyVersionUnknown):
            store.rewrap(RECORD, refused)
    assert [DATA_KEY] * 2 == [store.unwrap(RECORD, each) for each in wrapped[2:]]
    assert 5 == store.rotate()


def test_the_newest_version_is_never_retired(store: KeyStore) -> None:
    """Nor is one that is not there yet; everything stays readable."""
    wrapped = store.wrap(RECORD, DATA_KEY)
    store.rotate()
    for number in (2, 3):
        with pytest.raises(InputInvalid, match="rotate"):
            store.retire(number)
    assert DATA_KEY == store.unwrap(RECORD, wrapped)


def test_a_version_that_never_was_is_told(store: KeyStore) -> None:
    """A wrapped key of a later version, from a store that was restored from a backup, has its own error."""
    body = store.wrap(RECORD, DATA_KEY)[1:]
    with pytest.raises(KeyVersionUnknown):
        store.unwrap(RECORD, header(7) + body)


def test_whoever_holds_the_store_open_reads_a_new_version(stores: KeyStores, kind: str) -> None:
    """A process that opened it before a rotation opens what was wrapped after it."""
    ours = stores.new(kind)
    others = stores.again(ours)
    others.rotate()
    wrapped = others.wrap(RECORD, DATA_KEY)
    assert (2, DATA_KEY) == (ours.version_of(wrapped), ours.unwrap(RECORD, wrapped))
    assert [1, 2] == [each.number for each in ours.versions()]
    assert 2 == ours.version_of(ours.wrap(RECORD, DATA_KEY))


def test_threads_may_share_a_store(store: KeyStore) -> None:
    """Many at once wrap and unwrap while the master key rotates; each gets its own."""
    failed: list[object] = []

    def work(number: int) -> None:
        key = bytes([number]) * 32
        opened = [store.unwrap(RECORD, store.wrap(RECORD, key)) for _ in range(10)]
        failed.extend(each for each in opened if each != key)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    store.rotate()
    for each in threads:
        each.join(60)
    assert ([], False) == (failed, any(each.is_alive() for each in threads))
