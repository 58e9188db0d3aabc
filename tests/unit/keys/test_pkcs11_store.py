"""The key store on a PKCS#11 token: what it adds to the contract, against SoftHSM2."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pkcs11
import pytest
from pkcs11 import exceptions as faults

from caregrid.errors import (
    CaregridError,
    ConfigInvalid,
    DiskLow,
    InputInvalid,
    KeyStoreLocked,
    KeyStoreUnreachable,
)
from caregrid.keys import pkcs11_session
from caregrid.keys.pkcs11_session import Pkcs11Place
from caregrid.keys.pkcs11_store import Pkcs11KeyStore
from tests.soft_hsm import MODULE, SoftToken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.soft_hsm import SoftHsm

RECORD: Final = bytes(range(16))
DATA_KEY: Final = bytes(range(32))


@pytest.fixture
def token(hsm: SoftHsm) -> SoftToken:
    """Give an empty token."""
    return hsm.new_token()


@pytest.fixture
def place(token: SoftToken) -> Pkcs11Place:
    """Give where a key may be made."""
    return Pkcs11Place(module=MODULE, token=token.label)


@pytest.fixture
def store(place: Pkcs11Place, token: SoftToken) -> Iterator[Pkcs11KeyStore]:
    """Give a store on the token."""
    made = Pkcs11KeyStore.create(place, lambda: token.pin)
    yield made
    made.close()


def objects(token: SoftToken) -> list[Any]:
    """Return what the token holds."""
    with pkcs11.lib(str(MODULE)).get_token(token_label=token.label).open() as session:
        found: list[Any] = list(session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY}))
        return [
            (each.label, each.id[:4], each[pkcs11.Attribute.SENSITIVE], each[pkcs11.Attribute.EXTRACTABLE])
            for each in found
        ]


def test_master_keys_never_leave_the_token(store: Pkcs11KeyStore, token: SoftToken) -> None:
    """Each version is a key that is sensitive and cannot be extracted; asking for its value is refused."""
    store.rotate()
    assert [
        ("caregrid", b"\0\0\0\1", True, False),
        ("caregrid", b"\0\0\0\2", True, False),
    ] == sorted(objects(token))

    def value(session: pkcs11.Session) -> Any:
        return store._listed(session).keys[1][pkcs11.Attribute.VALUE]

    with pytest.raises(KeyStoreUnreachable, match="AttributeSensitive"):
        store._token.run(value)


def test_retired_keys_are_destroyed(store: Pkcs11KeyStore, token: SoftToken) -> None:
    """Nothing of them is left on the token."""
    store.rotate()
    store.retire(1)
    assert [b"\0\0\0\2"] == [each[1] for each in objects(token)]


def test_a_token_that_was_away_is_logged_in_to_again(store: Pkcs11KeyStore, hsm: SoftHsm) -> None:
    """Every session and handle is lost, and the next call goes on."""
    wrapped = store.wrap(RECORD, DATA_KEY)
    hsm.plug_in_again()
    assert DATA_KEY == store.unwrap(RECORD, wrapped)
    hsm.plug_in_again()
    assert DATA_KEY == store.unwrap(RECORD, store.wrap(RECORD, DATA_KEY))
    hsm.plug_in_again()
    assert 2 == store.rotate()


def test_a_token_that_is_missing_is_waited_for(store: Pkcs11KeyStore, hsm: SoftHsm, token: SoftToken) -> None:
    """It is a passing fault; the same store goes on when it is plugged in."""
    wrapped = store.wrap(RECORD, DATA_KEY)
    folder = hsm.configuration.parent
    (folder / "tokens").rename(folder / "unplugged")
    (folder / "tokens").mkdir()
    try:
        hsm.plug_in_again()
        with pytest.raises(KeyStoreUnreachable, match="plug it in"):
            store.unwrap(RECORD, wrapped)
    finally:
        (folder / "tokens").rmdir()
        (folder / "unplugged").rename(folder / "tokens")
    hsm.plug_in_again()
    assert DATA_KEY == store.unwrap(RECORD, wrapped)
    assert token.label


def test_a_wrong_pin_is_given_once(
    place: Pkcs11Place, token: SoftToken, hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens lock themselves: the same PIN is not tried again, a corrected one is."""
    Pkcs11KeyStore.create(place, lambda: token.pin).close()
    hsm.plug_in_again()
    tried: list[str] = []
    real = pkcs11_session._logged_in

    def counted(which: pkcs11.Token, pin: str) -> pkcs11.Session:
        tried.append(pin)
        return real(which, pin)

    monkeypatch.setattr(pkcs11_session, "_logged_in", counted)
    pins = ["0000-canary"]
    store = Pkcs11KeyStore(place, lambda: pins[0])
    for _ in range(3):
        with pytest.raises(KeyStoreLocked, match="PIN") as caught:
            store.versions()
        assert "canary" not in f"{caught.value} {caught.value.__cause__}"
    assert ["0000-canary"] == tried
    pins[0] = token.pin
    assert 1 == len(store.versions())
    store.close()


def test_modules_and_tokens_that_are_not_there_are_told(token: SoftToken) -> None:
    """Each by its own error: a path in the settings, a token to plug in, a key to make."""
    with pytest.raises(ConfigInvalid, match="path"):
        Pkcs11KeyStore.open(Pkcs11Place(module=Path("/nowhere.so"), token="x"), lambda: "1234")
    with pytest.raises(KeyStoreUnreachable, match="plug it in"):
        Pkcs11KeyStore.open(Pkcs11Place(module=MODULE, token="absent"), lambda: "1234")
    with pytest.raises(KeyStoreLocked, match="keys create"):
        Pkcs11KeyStore.open(Pkcs11Place(module=MODULE, token=token.label), lambda: token.pin)


def test_an_existing_key_is_not_made_again(
    store: Pkcs11KeyStore, place: Pkcs11Place, token: SoftToken
) -> None:
    """Another label on the same token is another store."""
    with pytest.raises(InputInvalid, match="already"):
        Pkcs11KeyStore.create(place, lambda: token.pin)
    other = Pkcs11Place(module=MODULE, token=token.label, label="other")
    second = Pkcs11KeyStore.create(other, lambda: token.pin)
    assert DATA_KEY == store.unwrap(RECORD, store.wrap(RECORD, DATA_KEY))
    second.close()
    assert DATA_KEY == store.unwrap(RECORD, store.wrap(RECORD, DATA_KEY))


def test_a_token_that_hangs_has_a_deadline(store: Pkcs11KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that does not come back is given up; later ones go on when it does."""
    monkeypatch.setattr(pkcs11_session, "CALL_TIMEOUT_S", 0.2)
    gone_on = threading.Event()
    with pytest.raises(KeyStoreUnreachable, match="does not answer"):
        store._token.run(lambda _: gone_on.wait(60))
    gone_on.set()
    monkeypatch.setattr(pkcs11_session, "CALL_TIMEOUT_S", 60)
    assert DATA_KEY == store.unwrap(RECORD, store.wrap(RECORD, DATA_KEY))


def test_a_token_that_fails_is_no_wrong_key(store: Pkcs11KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same word of the module means either; a trial with known bytes tells them apart."""
    wrapped = store.wrap(RECORD, DATA_KEY)

    def broken(*_: object) -> bytes:
        raise faults.GeneralError

    monkeypatch.setattr("caregrid.keys.pkcs11_store._decrypted", broken)
    with pytest.raises(KeyStoreUnreachable, match="GeneralError"):
        store.unwrap(RECORD, wrapped)


def test_a_full_token_is_a_full_disk(store: Pkcs11KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was made, and what is there goes on."""

    def full(*_: object) -> int:
        raise faults.DeviceMemory

    with monkeypatch.context() as patched:
        patched.setattr(store, "_draw", full)
        with pytest.raises(DiskLow, match="token"):
            store.rotate()
    assert [1] == [each.number for each in store.versions()]


def test_neither_pin_nor_keys_are_told(
    store: Pkcs11KeyStore, token: SoftToken, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs at their finest and the text and chain of errors hold neither."""
    caplog.set_level(logging.DEBUG)
    wrapped = bytearray(store.wrap(RECORD, DATA_KEY))
    wrapped[-1] ^= 1
    with pytest.raises(CaregridError) as caught:
        store.unwrap(RECORD, bytes(wrapped))
    text = f"{store!r} {store._token!r} {caught.value} {caught.value.__cause__!r} {caplog.text}"
    for secret in (token.pin, DATA_KEY.hex(), repr(DATA_KEY)):
        assert secret not in text
