"""A session with a PKCS#11 token that is opened anew when the token was away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pkcs11
from pkcs11 import exceptions as faults

from caregrid.errors import ConfigInvalid, DiskLow, KeyStoreLocked, KeyStoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

#: A token computes in milliseconds and draws a key in seconds; past this it, or the way to it, hangs.
CALL_TIMEOUT_S: Final = 20.0

#: The session is gone, or its login or handles are; a new one may do.
_LOST: Final = (
    faults.SessionHandleInvalid,
    faults.SessionClosed,
    faults.KeyHandleInvalid,
    faults.ObjectHandleInvalid,
    faults.UserNotLoggedIn,
    faults.DeviceRemoved,
    faults.DeviceError,
    faults.TokenNotPresent,
)
_PIN_REFUSED: Final = (
    faults.PinIncorrect,
    faults.PinInvalid,
    faults.PinLenRange,
    faults.PinExpired,
    faults.PinLocked,
    faults.UserPinNotInitialized,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pkcs11Place:
    """Which key on which token."""

    module: Path  #: the vendor's library
    token: str  #: the token's label
    label: str = "caregrid"  #: the label that all versions of the master key have


class TokenSession:
    """Runs work on one session, one at a time; in a thread, since a call into a module has no deadline."""

    def __init__(self, place: Pkcs11Place, pin: Callable[[], str]) -> None:
        self._place, self._pin = place, pin
        self._session: pkcs11.Session | None = None
        self._refused: str | None = None  # a PIN; tokens lock themselves after a few wrong ones
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pkcs11")

    def run(self, work: Callable[[pkcs11.Session], T]) -> T:
        """Return what work returns; it may run twice, when the first session turns out to be lost.

        Raises:
            KeyStoreLocked: the token refuses the PIN.
            KeyStoreUnreachable: the token is not there, fails, or does not answer in time.
            ConfigInvalid: there is no such module.
            DiskLow: the token is full.
        """
        promise = self._thread.submit(self._translated, work)
        try:
            return promise.result(CALL_TIMEOUT_S)
        except TimeoutError as exc:
            promise.cancel()
            raise KeyStoreUnreachable("the PKCS#11 token does not answer; look at its connection") from exc

    def close(self) -> None:
        """Log out."""
        self._thread.submit(self._drop)
        self._thread.shutdown(wait=False)

    def _translated(self, work: Callable[[pkcs11.Session], T]) -> T:
        try:
            try:
                return work(self._opened())
            except _LOST:
                self._drop()
                return work(self._opened())
        except faults.DeviceMemory as exc:
            raise DiskLow("the PKCS#11 token has no room for another key; free some") from exc
        except faults.PKCS11Error as exc:
            self._drop()
            raise KeyStoreUnreachable(
                f"the PKCS#11 token fails ({type(exc).__name__}); look at it and its module"
            ) from exc

    def _opened(self) -> pkcs11.Session:
        if self._session is None:
            self._session = self._open()
        return self._session

    def _open(self) -> pkcs11.Session:
        pin = self._pin()
        if pin == self._refused:
            raise KeyStoreLocked("the PKCS#11 token has refused this PIN; correct it, it is not tried again")
        try:
            token = _module(self._place.module).get_token(token_label=self._place.token)
            session = _logged_in(token, pin)
        except faults.NoSuchToken as exc:
            raise KeyStoreUnreachable("there is no PKCS#11 token of this label; plug it in") from exc
        except _PIN_REFUSED as exc:
            self._refused = pin
            raise KeyStoreLocked(
                f"the PKCS#11 token refuses the PIN ({type(exc).__name__}); correct it before it locks itself"
            ) from exc
        self._refused = None
        return session

    def _drop(self) -> None:
        session, self._session = self._session, None
        try:
            if session is not None:
                session.close()
        except faults.PKCS11Error:
            return  # it is gone, which is what was wanted

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def _logged_in(token: pkcs11.Token, pin: str) -> pkcs11.Session:
    try:
        return token.open(rw=True, user_pin=pin)
    except faults.UserAlreadyLoggedIn:
        return token.open(rw=True)  # a login is the whole process's


def _module(path: Path) -> Any:
    try:
        return pkcs11.lib(str(path))
    except faults.PKCS11Error as exc:
        raise ConfigInvalid(f"{path} is no PKCS#11 module that can be loaded; correct its path") from exc
