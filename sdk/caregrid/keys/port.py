"""Where data keys rest: the custodian's own copies, wrapped by a master key that never leaves its store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from caregrid.errors import InputInvalid, WrongKey
from caregrid.keys.envelope import split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

#: A record's id and its wrapped key.
Kept: TypeAlias = tuple[bytes, bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyVersion:
    """One version of a master key; never the key itself."""

    number: int  #: from 1, and one more with each rotation
    created_at: datetime | None  #: None where the store does not know

    def __post_init__(self) -> None:
        if self.created_at is not None and self.created_at.tzinfo is None:
            raise ValueError("created_at must say its time zone")


class KeyStore(ABC):
    """Wraps data keys under a master key that stays inside.

    Wrapped keys are opaque bytes that callers may keep anywhere (a queue row, a file). The master key has
    versions: the newest wraps, all that are not retired unwrap. All methods may raise `KeyStoreUnreachable`
    and `KeyStoreLocked`.
    """

    #: Whether a method may wait for another process or machine; an event loop then calls it in a thread.
    blocks: ClassVar[bool] = True

    @abstractmethod
    def wrap(self, record_id: bytes, data_key: bytes) -> bytes:
        """Return the 32-byte data key wrapped by the newest version, bound to its record id.

        Raises:
            InputInvalid: data key or record id has the wrong length.
        """

    @abstractmethod
    def unwrap(self, record_id: bytes, wrapped: bytes) -> bytes:
        """Return the data key.

        Raises:
            WrongKey: wrapped by another master key, for another record, or altered.
            KeyVersionUnknown: wrapped by a version that is retired, or was never here.
        """

    @abstractmethod
    def versions(self) -> Sequence[KeyVersion]:
        """Return the versions that unwrap, by number; the last one wraps."""

    @abstractmethod
    def rotate(self) -> int:
        """Make a new version, which wraps from now on, and return its number.

        Raises:
            DiskLow: there is no room for it; nothing was changed.
        """

    @abstractmethod
    def retire(self, version: int) -> None:
        """Have a version and all older ones open nothing any more.

        What they wrapped is lost, in backups too: wrap it anew before.

        Raises:
            InputInvalid: it is the newest one, or newer.
        """

    def rewrap(self, record_id: bytes, wrapped: bytes) -> bytes:
        """Return the same data key wrapped by the newest version; raises what `unwrap` does."""
        return self.wrap(record_id, self.unwrap(record_id, wrapped))

    def rewrap_all(self, kept: Sequence[Kept]) -> list[bytes | None]:
        """Return for each what `rewrap` does, or None where it does not open."""
        return [self._rewrapped(*each) for each in kept]

    def close(self) -> None:  # noqa: B027 - most stores hold no connection
        """Let go of connections; the store is not used afterwards."""

    @staticmethod
    def version_of(wrapped: bytes) -> int:
        """Return the number of the version that a wrapped key names.

        Raises:
            WrongKey: these bytes are no wrapped key.
        """
        return split(wrapped)[0]

    def _rewrapped(self, record_id: bytes, wrapped: bytes) -> bytes | None:
        try:
            return self.rewrap(record_id, wrapped)
        except WrongKey:
            return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def require_retirable(version: int, newest: int) -> None:
    """Refuse to retire the version that wraps, or one that is not there yet.

    Raises:
        InputInvalid: so it is.
    """
    if version >= newest:
        raise InputInvalid(f"version {newest} wraps new keys and stays; rotate before retiring it")
