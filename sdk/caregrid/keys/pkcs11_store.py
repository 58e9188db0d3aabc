"""A key store on a PKCS#11 token: AES-256 keys that are made there and never leave it."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import pkcs11
from pkcs11 import exceptions as faults

from caregrid.errors import Conflict, InputInvalid, KeyStoreLocked, KeyVersionUnknown, WrongKey
from caregrid.keys.envelope import DATA_KEY_LEN, context, header, require_data_key, split
from caregrid.keys.keyring import from_ms, to_ms
from caregrid.keys.master_key import BODY_LEN, NONCE_LEN
from caregrid.keys.pkcs11_session import Pkcs11Place, TokenSession
from caregrid.keys.port import KeyStore, KeyVersion, require_retirable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: For so long a version that another process made may stay unnoticed by who wraps.
REFRESH_S: Final = 30.0

_NUMBER_LEN: Final = 4
_ID_LEN: Final = 12
_KEY_BITS: Final = 256
_PROBE_BITS: Final = 64

#: What modules say of bytes that are not authentic; some say the same when they fail themselves.
_REFUSED: Final = (
    faults.EncryptedDataInvalid,
    faults.EncryptedDataLenRange,
    faults.SignatureInvalid,
    faults.DataInvalid,
    faults.DataLenRange,
    faults.FunctionFailed,
    faults.GeneralError,
)


class Pkcs11KeyStore(KeyStore):
    """AES-256-GCM by the token (CKM_AES_GCM), under the nonces and in the form of `MasterKeyStore`.

    Each version is a secret key object: sensitive, not extractable, labelled as the place says. Its CKA_ID is
    the version in four bytes and the milliseconds since 1970 when it was made in eight.
    """

    def __init__(self, place: Pkcs11Place, pin: Callable[[], str]) -> None:
        self._place = place
        self._token = TokenSession(place, pin)
        self._known: _Listing | None = None

    @classmethod
    def create(cls, place: Pkcs11Place, pin: Callable[[], str]) -> Self:
        """Have the token draw version 1.

        Raises:
            InputInvalid: it has a key of this label already.
            KeyStoreLocked, KeyStoreUnreachable, ConfigInvalid: the token cannot be used.
        """
        store = cls(place, pin)
        store._token.run(store._draw_first)
        return store

    @classmethod
    def open(cls, place: Pkcs11Place, pin: Callable[[], str]) -> Self:
        """Log in and look for the key.

        Raises:
            KeyStoreLocked: the token refuses the PIN, or has no such key.
            KeyStoreUnreachable, ConfigInvalid: the token cannot be used.
        """
        store = cls(place, pin)
        store.versions()
        return store

    def wrap(self, record_id: bytes, data_key: bytes) -> bytes:
        """Return the data key wrapped, different each time; see `KeyStore.wrap`."""
        require_data_key(data_key)
        bound, nonce = context(record_id), secrets.token_bytes(NONCE_LEN)

        def work(session: pkcs11.Session) -> bytes:
            keys = self._listing(session).keys
            newest = max(keys)
            return header(newest) + nonce + _encrypted(keys[newest], nonce, data_key, bound)

        return self._token.run(work)

    def unwrap(self, record_id: bytes, wrapped: bytes) -> bytes:
        """Return the data key; see `KeyStore.unwrap`."""
        bound, (version, body) = context(record_id), split(wrapped)
        if len(body) != BODY_LEN:
            raise WrongKey

        def work(session: pkcs11.Session) -> bytes:
            key = self._key(session, version)
            try:
                return _decrypted(key, body[:NONCE_LEN], body[NONCE_LEN:], bound)
            except _REFUSED as exc:
                _prove(key)
                raise WrongKey from exc

        return self._token.run(work)

    def versions(self) -> Sequence[KeyVersion]:
        """Return what may be told of the versions; see `KeyStore.versions`."""
        keys = self._token.run(lambda session: self._listed(session).created)
        return [KeyVersion(number=number, created_at=keys[number]) for number in sorted(keys)]

    def rotate(self) -> int:
        """Have the token draw a new version; see `KeyStore.rotate`."""
        return self._token.run(lambda session: self._draw(session, max(self._listed(session).keys) + 1))

    def retire(self, version: int) -> None:
        """Destroy versions on the token; see `KeyStore.retire`."""

        def work(session: pkcs11.Session) -> None:
            keys = self._listed(session).keys
            require_retirable(version, max(keys))
            for number in [each for each in keys if each <= version]:
                keys[number].destroy()
            self._known = None

        self._token.run(work)

    def close(self) -> None:
        """Log out; see `KeyStore.close`."""
        self._token.close()

    def _draw_first(self, session: pkcs11.Session) -> int:
        if _objects(session, self._place.label):
            raise InputInvalid("the token has a key of this label already; open it, or choose another label")
        return self._draw(session, 1)

    def _draw(self, session: pkcs11.Session, number: int) -> int:
        made_ms = to_ms(datetime.now(UTC))
        key = session.generate_key(
            pkcs11.KeyType.AES,
            _KEY_BITS,
            id=number.to_bytes(_NUMBER_LEN, "big") + made_ms.to_bytes(_ID_LEN - _NUMBER_LEN, "big"),
            label=self._place.label,
            store=True,
            capabilities=pkcs11.MechanismFlag.ENCRYPT | pkcs11.MechanismFlag.DECRYPT,
            template={
                pkcs11.Attribute.PRIVATE: True,
                pkcs11.Attribute.SENSITIVE: True,
                pkcs11.Attribute.EXTRACTABLE: False,
            },
        )
        same = [each for each in _objects(session, self._place.label) if _number(each) == number]
        if len(same) > 1:
            key.destroy()
            raise Conflict("somebody else rotates the master key at the same time; look, then rotate again")
        self._known = None
        return number

    def _key(self, session: pkcs11.Session, version: int) -> Any:
        key = self._listing(session).keys.get(version) or self._listed(session).keys.get(version)
        if key is None:
            raise KeyVersionUnknown
        return key

    def _listing(self, session: pkcs11.Session) -> _Listing:
        known = self._known
        if known is None or known.session is not session or time.monotonic() - known.at > REFRESH_S:
            return self._listed(session)
        return known

    def _listed(self, session: pkcs11.Session) -> _Listing:
        found = _objects(session, self._place.label)
        keys = {_number(each): each for each in found}
        if not keys:
            raise KeyStoreLocked("the token has no key of this label; make one with `caregrid keys create`")
        if len(keys) != len(found):
            raise KeyStoreLocked(
                "two keys on the token claim one version; remove the one that wrapped nothing"
            )
        created = {number: _created_at(key) for number, key in keys.items()}
        self._known = _Listing(session=session, keys=keys, created=created, at=time.monotonic())
        return self._known


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class _Listing:
    session: pkcs11.Session  # whose handles these are
    keys: Mapping[int, Any]
    created: Mapping[int, datetime | None]
    at: float


def _objects(session: pkcs11.Session, label: str) -> list[Any]:
    wanted = {
        pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
        pkcs11.Attribute.LABEL: label,
    }
    session.generate_random(
        _PROBE_BITS
    )  # a search that begins on a lost session complains when it is dropped
    # All of them at once: a search that is dropped half-way blocks the session.
    return [each for each in list(session.get_objects(wanted)) if len(each.id) == _ID_LEN]  # type: ignore[attr-defined]


def _number(key: Any) -> int:
    return int.from_bytes(key.id[:_NUMBER_LEN], "big")


def _created_at(key: Any) -> datetime | None:
    try:
        return from_ms(int.from_bytes(key.id[_NUMBER_LEN:], "big"))
    except ValueError as exc:
        raise KeyStoreLocked(
            "a key of this label on the token is none of ours; choose another label"
        ) from exc


def _encrypted(key: Any, nonce: bytes, data: bytes, bound: bytes) -> bytes:
    return bytes(
        key.encrypt(data, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=pkcs11.GCMParams(nonce, bound))
    )


def _decrypted(key: Any, nonce: bytes, data: bytes, bound: bytes) -> bytes:
    return bytes(
        key.decrypt(data, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=pkcs11.GCMParams(nonce, bound))
    )


def _prove(key: Any) -> None:
    # Raises what the token raises when it is the token that fails.
    nonce, known = secrets.token_bytes(NONCE_LEN), bytes(DATA_KEY_LEN)
    if _decrypted(key, nonce, _encrypted(key, nonce, known, b""), b"") != known:
        raise faults.GeneralError
