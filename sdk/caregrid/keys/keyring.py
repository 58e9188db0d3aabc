"""The versions of a master key that a store holds itself, and their form at rest."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

from caregrid.errors import InputInvalid, KeyStoreLocked
from caregrid.keys.envelope import MAX_VERSION
from caregrid.keys.port import KeyVersion, require_retirable

if TYPE_CHECKING:
    from collections.abc import Iterator

MASTER_KEY_LEN: Final = 32
#: A rotation a month for five years; the file of so many stays small.
MAX_VERSIONS: Final = 64

_NUMBER_LEN: Final = 4
_TIME_LEN: Final = 8
_ENTRY_LEN: Final = _NUMBER_LEN + _TIME_LEN + MASTER_KEY_LEN
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MAX_MS: Final = (datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND


@dataclass(frozen=True, kw_only=True, slots=True)
class MasterKey:
    """One version of a master key."""

    number: int
    created_at: datetime | None
    secret: bytes = field(repr=False)

    @property
    def version(self) -> KeyVersion:
        """What may be told of it."""
        return KeyVersion(number=self.number, created_at=self.created_at)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Versions by number, at least one; the last one wraps.

    Raises:
        ValueError: there is none, there are too many, they are out of order, or a key has the wrong length.
    """

    keys: tuple[MasterKey, ...] = field(repr=False)

    def __post_init__(self) -> None:
        numbers = [each.number for each in self.keys]
        if not 1 <= len(numbers) <= MAX_VERSIONS or numbers != sorted(set(numbers)):
            raise ValueError("a key ring holds 1 to 64 versions in their order")
        if not 1 <= numbers[0] <= numbers[-1] <= MAX_VERSION:
            raise ValueError("versions count from 1")
        if any(len(each.secret) != MASTER_KEY_LEN for each in self.keys):
            raise ValueError("a master key has 32 bytes")

    @classmethod
    def new(cls, now: datetime) -> Self:
        """Draw version 1."""
        return cls((_draw(1, now),))

    @property
    def newest(self) -> int:
        """The number of the version that wraps."""
        return self.keys[-1].number

    def grown(self, now: datetime) -> Self:
        """Return the ring with a new version, just drawn.

        Raises:
            InputInvalid: it holds as many as it can.
        """
        if len(self.keys) == MAX_VERSIONS:
            raise InputInvalid(f"the key store holds {MAX_VERSIONS} versions; retire old ones first")
        return type(self)((*self.keys, _draw(self.newest + 1, now)))

    def without(self, version: int) -> Self:
        """Return the ring without a version and all older ones.

        Raises:
            InputInvalid: it is the newest one, or newer.
        """
        require_retirable(version, self.newest)
        return type(self)(tuple(each for each in self.keys if each.number > version))

    def to_bytes(self) -> bytes:
        """Return the form at rest: number, milliseconds since 1970 (0: not known) and key of each version."""
        return b"".join(
            each.number.to_bytes(_NUMBER_LEN, "big")
            + to_ms(each.created_at).to_bytes(_TIME_LEN, "big")
            + each.secret
            for each in self.keys
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` gave; 32 bytes alone are version 1, as older files have it.

        Raises:
            KeyStoreLocked: it is something else.
        """
        if len(data) == MASTER_KEY_LEN:
            return cls((MasterKey(number=1, created_at=None, secret=data),))
        try:
            return cls(tuple(_entries(data)))
        except ValueError as exc:
            raise KeyStoreLocked from exc


def _draw(number: int, now: datetime) -> MasterKey:
    known = from_ms(to_ms(now))  # as precise as at rest
    return MasterKey(number=number, created_at=known, secret=secrets.token_bytes(MASTER_KEY_LEN))


def _entries(data: bytes) -> Iterator[MasterKey]:
    if len(data) % _ENTRY_LEN:
        raise ValueError("a key ring is a number of whole entries")
    for start in range(0, len(data), _ENTRY_LEN):
        number, rest = data[start : start + _NUMBER_LEN], data[start + _NUMBER_LEN : start + _ENTRY_LEN]
        yield MasterKey(
            number=int.from_bytes(number, "big"),
            created_at=from_ms(int.from_bytes(rest[:_TIME_LEN], "big")),
            secret=rest[_TIME_LEN:],
        )


def to_ms(moment: datetime | None) -> int:
    """Return a moment of creation in milliseconds since 1970; 0 for None."""
    return 0 if moment is None else (moment - _EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime | None:
    """Return a moment of creation; None for 0.

    Raises:
        ValueError: there is no such moment.
    """
    if milliseconds > _MAX_MS:
        raise ValueError("this moment is too far away")
    return _EPOCH + milliseconds * _MILLISECOND if milliseconds else None
