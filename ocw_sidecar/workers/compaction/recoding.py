"""One record opened and sealed anew as its bytes pass; plaintext is never more than a segment, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from caregrid.sealed import Opener, Sealer

if TYPE_CHECKING:
    from cryptography.utils import Buffer


class Passage(Protocol):
    """What a record's bytes pass through on their way to the new object."""

    def update(self, piece: Buffer) -> Buffer:
        """Take the next bytes; return what is to be written, perhaps nothing."""

    def finish(self) -> bytes:
        """Return the rest."""


class Unchanged:
    """The same ciphertext moves; no key is needed."""

    def update(self, piece: Buffer) -> Buffer:
        """Return the bytes as they are."""
        return piece

    def finish(self) -> bytes:
        """Nothing is held back."""
        return b""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataKeys:
    """The data keys of a record that is sealed anew; never shown."""

    old: bytes
    new: bytes

    def __repr__(self) -> str:
        """Say nothing."""
        return "DataKeys()"


class Resealed:
    """Opens with the old data key and seals with the new one.

    Raises:
        SealBroken: the record does not open with the old key.
    """

    def __init__(self, record_id: bytes, keys: DataKeys) -> None:
        self._opener, self._sealer = Opener(keys.old, record_id), Sealer(keys.new, record_id)

    def update(self, piece: Buffer) -> Buffer:
        """Take sealed bytes; return those that are sealed anew."""
        return self._sealer.update(self._opener.update(piece))

    def finish(self) -> bytes:
        """Return the rest, now that the old record is known to be whole."""
        return self._sealer.update(self._opener.finish()) + self._sealer.finish()
