"""Where data keys rest: the custodian's own copies, wrapped by a master key that never leaves its store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar


class KeyStore(ABC):
    """Wraps data keys under a master key that stays inside.

    Wrapped keys are opaque bytes that callers may keep anywhere (a queue row, a file).
    """

    #: Whether a method may wait for another process or machine; an event loop then calls it in a thread.
    blocks: ClassVar[bool] = True

    @abstractmethod
    def wrap(self, record_id: bytes, data_key: bytes) -> bytes:
        """Return the 32-byte data key wrapped, bound to its record id."""

    @abstractmethod
    def unwrap(self, record_id: bytes, wrapped: bytes) -> bytes:
        """Return the data key.

        Raises:
            WrongKey: wrapped by another master key, for another record, or altered.
        """
