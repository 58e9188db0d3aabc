"""A key store in HashiCorp Vault's transit engine, or in what speaks its API.

The key is of the type `aes256-gcm96` and *derived*: what binds a wrapped key to its record is the derivation
context, from which Vault makes a key of its own for each record. `associated_data` would bind it as well, but
`rewrap` does not take it, and without `rewrap` a rotation would bring every data key here.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from hvac import exceptions as faults

from caregrid.errors import (
    ConfigInvalid,
    InputInvalid,
    KeyStoreLocked,
    KeyVersionUnknown,
    ProtocolViolation,
    WrongKey,
)
from caregrid.keys.envelope import MAX_VERSION, MAX_WRAPPED_LEN, context, header, require_data_key, split
from caregrid.keys.port import Kept, KeyStore, KeyVersion, require_retirable
from caregrid.keys.vault_transport import Login, VaultPlace, VaultTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.keys.vault_transport import Json

#: Of one request; Vault bounds a request's size, and a lost one is done again.
BATCH: Final = 128

_TYPE: Final = "aes256-gcm96"
_CIPHERTEXT: Final = re.compile(r"vault:v([1-9][0-9]{0,9}):([A-Za-z0-9+/]+={0,2})")
_MIN_BODY: Final = 12 + 16  # nonce and tag
_NO_KEY: Final = (
    "Vault has no transit engine or key of this name here; check `vault_mount`, `vault_key` and "
    "`vault_namespace`, or make one with `caregrid keys create`"
)


class VaultKeyStore(KeyStore):
    """Wraps by `encrypt`, unwraps by `decrypt`; after the header comes Vault's ciphertext in bytes."""

    def __init__(self, place: VaultPlace, login: Login) -> None:
        self._place = place
        self._server = VaultTransport(place, login)
        self._key = {"name": place.key, "mount_point": place.mount}

    @classmethod
    def create(cls, place: VaultPlace, login: Login) -> Self:
        """Have Vault make the key.

        Raises:
            InputInvalid: it has a key of this name already.
            KeyStoreLocked, KeyStoreUnreachable, ConfigInvalid: Vault cannot be used.
        """
        store = cls(place, login)
        try:
            store._read()
        except ConfigInvalid as exc:
            if not isinstance(exc.__cause__, faults.InvalidPath):
                raise
        else:
            raise InputInvalid("Vault has a key of this name already; open it, or choose another name")
        store._asked("create_key", derived=True, key_type=_TYPE)
        store._require_fit(store._read())
        return store

    @classmethod
    def open(cls, place: VaultPlace, login: Login) -> Self:
        """Log in and look at the key.

        Raises:
            ConfigInvalid: there is no such key, or it is of a type that binds nothing to its record.
            KeyStoreLocked, KeyStoreUnreachable: Vault cannot be used.
        """
        store = cls(place, login)
        store._require_fit(store._read())
        return store

    def wrap(self, record_id: bytes, data_key: bytes) -> bytes:
        """Return the data key wrapped by Vault; see `KeyStore.wrap`."""
        require_data_key(data_key)
        bound, plaintext = _base64(context(record_id)), _base64(data_key)
        answer = self._asked("encrypt_data", plaintext=plaintext, context=bound)
        return _from_vault(_data(answer).get("ciphertext"))

    def unwrap(self, record_id: bytes, wrapped: bytes) -> bytes:
        """Return the data key; see `KeyStore.unwrap`."""
        answer = self._asked_of("decrypt_data", record_id, wrapped)
        return _data_key(_data(answer).get("plaintext"))

    def versions(self) -> Sequence[KeyVersion]:
        """Return the versions that Vault lets open; see `KeyStore.versions`."""
        data = self._read()
        try:
            oldest, made = data["min_decryption_version"], data["keys"].items()
            found = sorted((int(number), int(at)) for number, at in made)
            return [
                KeyVersion(number=number, created_at=datetime.fromtimestamp(at, UTC))
                for number, at in found
                if number >= oldest
            ]
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as exc:
            raise ProtocolViolation("Vault describes the key in a way that is not known here") from exc

    def rotate(self) -> int:
        """Have Vault make a new version; see `KeyStore.rotate`."""
        self._asked("rotate_key")
        return self._newest()

    def retire(self, version: int) -> None:
        """Raise Vault's `min_decryption_version`; only `trim` there destroys keys. See `KeyStore.retire`."""
        require_retirable(version, self._newest())
        self._asked("update_key_configuration", min_decryption_version=version + 1)

    def rewrap(self, record_id: bytes, wrapped: bytes) -> bytes:
        """Have Vault wrap it anew, without seeing the data key; see `KeyStore.rewrap`."""
        answer = self._asked_of("rewrap_data", record_id, wrapped)
        return _from_vault(_data(answer).get("ciphertext"))

    def rewrap_all(self, kept: Sequence[Kept]) -> list[bytes | None]:
        """Re-wrap 128 in one request; see `KeyStore.rewrap_all`."""
        done: list[bytes | None] = []
        for start in range(0, len(kept), BATCH):
            done += self._rewrapped_batch(kept[start : start + BATCH])
        return done

    def close(self) -> None:
        """Close connections; see `KeyStore.close`."""
        self._server.close()

    def _rewrapped_batch(self, kept: Sequence[Kept]) -> list[bytes | None]:
        items = [_batch_item(*each) for each in kept]
        sound = [each for each in items if each is not None]
        results = iter(self._batch_results(sound) or [{"error": "the batch"}] * len(sound))
        done: list[bytes | None] = []
        for each, item in zip(kept, items, strict=True):
            result = None if item is None else next(results)
            if result is None:
                done.append(None)
            elif result.get("error"):
                done.append(self._rewrapped(*each))  # what is wrong with it is told by its own answer
            else:
                done.append(_from_vault(result.get("ciphertext")))
        return done

    def _batch_results(self, items: Sequence[Json]) -> list[Json] | None:
        if not items:
            return None
        try:
            answer = self._tried("rewrap_data", ciphertext="", batch_input=items)
        except faults.InvalidRequest:
            return None  # some servers refuse all for one
        results = _data(answer).get("batch_results")
        if not isinstance(results, list) or len(results) != len(items):
            raise ProtocolViolation("Vault answered a batch with another number of results")
        return results

    def _asked_of(self, method: str, record_id: bytes, wrapped: bytes) -> Json:
        bound, (version, body) = _base64(context(record_id)), split(wrapped)
        if len(body) < _MIN_BODY:
            raise WrongKey
        try:
            return self._tried(method, ciphertext=_to_vault(version, body), context=bound)
        except faults.InvalidRequest as exc:
            # Vault says so of many things; that it lost the key is told by the next line.
            if version not in {each.number for each in self.versions()}:
                raise KeyVersionUnknown from exc
            raise WrongKey from exc

    def _asked(self, method: str, **parameters: Any) -> Json:
        try:
            return self._tried(method, **parameters)
        except faults.InvalidRequest as exc:
            raise KeyStoreLocked(f"Vault refuses `{method}`; look at the key's settings there") from exc

    def _tried(self, method: str, **parameters: Any) -> Json:
        def work(client: Any) -> Any:
            return getattr(client.secrets.transit, method)(**self._key, **parameters)

        try:
            return self._server.ask(work)
        except faults.InvalidPath as exc:
            raise ConfigInvalid(_NO_KEY) from exc

    def _read(self) -> Json:
        return _data(self._asked("read_key"))

    def _newest(self) -> int:
        return self.versions()[-1].number

    def _require_fit(self, data: Json) -> None:
        if data.get("type") != _TYPE or data.get("derived") is not True:
            raise ConfigInvalid(
                f"Vault's key must be of the type {_TYPE} and derived; make one with `caregrid keys create`"
            )
        if data.get("exportable") or data.get("allow_plaintext_backup"):
            raise ConfigInvalid("Vault's key may leave it (exportable); make another one that may not")
        if data.get("supports_encryption") is False:
            raise KeyStoreLocked("Vault's key does not encrypt")


def _batch_item(record_id: bytes, wrapped: bytes) -> Json | None:
    try:
        version, body = split(wrapped)
    except WrongKey:
        return None
    if len(body) < _MIN_BODY:
        return None
    return {"ciphertext": _to_vault(version, body), "context": _base64(context(record_id))}


def _data(answer: Json) -> Json:
    data = answer.get("data")
    if not isinstance(data, dict):
        raise ProtocolViolation("this is no answer of Vault's transit engine; check `vault_mount`")
    return data


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _to_vault(version: int, body: bytes) -> str:
    return f"vault:v{version}:{_base64(body)}"


def _from_vault(ciphertext: Any) -> bytes:
    found = _CIPHERTEXT.fullmatch(ciphertext) if isinstance(ciphertext, str) else None
    try:
        if found is not None and int(found[1]) <= MAX_VERSION:
            wrapped = header(int(found[1])) + base64.b64decode(found[2], validate=True)
            if len(wrapped) <= MAX_WRAPPED_LEN and _to_vault(*split(wrapped)) == ciphertext:
                return wrapped
    except binascii.Error:
        pass
    raise ProtocolViolation("Vault gave a ciphertext in a form that is not known here")


def _data_key(plaintext: Any) -> bytes:
    try:
        data_key = base64.b64decode(plaintext, validate=True)
        require_data_key(data_key)
    except (TypeError, ValueError, InputInvalid):
        raise ProtocolViolation("Vault gave something that is no data key") from None
    return data_key
