"""The default key store: the master key's versions in a local file, sealed under a passphrase."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from caregrid.errors import InputMissing, KeyStoreLocked
from caregrid.keys import passphrase_file
from caregrid.keys.keyring import Keyring
from caregrid.keys.master_key import MasterKeyStore

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from caregrid.keys.master_key import _Held

_PURPOSE: Final = "custodian-key"
#: By what a file is known to be the one that was read: a change is a new file under the same name.
_Mark: TypeAlias = tuple[int, int, int]


class FileKeyStore(MasterKeyStore):
    """Holds random 256-bit master keys; make one with `create`, later `open` it.

    Processes may share the file: each looks at it before it wraps, and when a version is not known to it.
    """

    def __init__(self, file: passphrase_file.Unlocked, ring: Keyring, seen: _Mark) -> None:
        super().__init__(ring)
        self._file, self._seen = file, seen
        self._looking = threading.Lock()

    @classmethod
    def create(
        cls, path: Path, passphrase: str, *, cost: passphrase_file.KdfCost = passphrase_file.DEFAULT_COST
    ) -> Self:
        """Draw a master key and seal it into a new file, mode 0600; takes about 0.1 s by design.

        Without the file, or its passphrase, every key wrapped here is lost: back both up.

        Raises:
            InputInvalid: the file exists already, its folder does not, or the passphrase is too short.
        """
        ring = Keyring.new(datetime.now(UTC))
        file = passphrase_file.write_new(path, passphrase, ring.to_bytes(), purpose=_PURPOSE, cost=cost)
        return cls(file, ring, _mark(path))

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Self:
        """Open an existing file; takes about 0.1 s by design.

        Raises:
            KeyStoreLocked: the passphrase is wrong, or the file damaged, not a key store, or readable by
                others.
            InputMissing: there is no such file.
        """
        seen = _mark(path)
        file, secret = passphrase_file.unlock(path, passphrase, purpose=_PURPOSE)
        return cls(file, Keyring.from_bytes(secret), seen)

    def rotate(self) -> int:
        """Draw a new version and keep it beside the others; see `KeyStore.rotate`."""
        return self._change(lambda ring: ring.grown(datetime.now(UTC))).newest

    def retire(self, version: int) -> None:
        """Drop versions from the file; copies of it keep them. See `KeyStore.retire`."""
        self._change(lambda ring: ring.without(version))

    def _change(self, change: Callable[[Keyring], Keyring]) -> Keyring:
        with self._looking, _held(self._file.path):
            ring = change(Keyring.from_bytes(self._file.read()))
            self._file.replace(ring.to_bytes())
            self._seen = _mark(self._file.path)
            self._take(ring)
        return ring

    def _latest(self) -> _Held:
        try:
            with self._looking:
                seen = _mark(self._file.path)
                if seen != self._seen:
                    self._take(Keyring.from_bytes(self._file.read()))
                    self._seen = seen
        except InputMissing as exc:
            # What would be wrapped by a key that is nowhere else is lost when this process ends.
            raise KeyStoreLocked(
                "the key file is gone; put it back before anything more is taken in"
            ) from exc
        return self._held


def _mark(path: Path) -> _Mark:
    try:
        found = path.stat()
    except FileNotFoundError as exc:
        raise InputMissing from exc
    except OSError as exc:
        raise KeyStoreLocked from exc
    return found.st_ino, found.st_mtime_ns, found.st_size


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    # One process at a time changes the file. Whoever waited may hold one that was replaced meanwhile.
    while True:
        try:
            file = path.open("rb")
        except OSError as exc:
            raise KeyStoreLocked from exc
        with file:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX)
            if _same(file.fileno(), path):
                yield
                return


def _same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError as exc:
        raise KeyStoreLocked from exc
