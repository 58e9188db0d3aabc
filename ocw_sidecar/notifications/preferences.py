"""What each recipient chose: which kinds reach him by which channel, at once or once a day.

Without preferences he has the pull feed alone. It holds every notice, whatever he chose for the channels.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from caregrid.errors import AccessRefused, InputInvalid
from caregrid.sealed import new_data_key, open_sealed, seal
from ocw_sidecar.notifications.items import BY_DEFAULT, URGENT, NoticeKind
from ocw_sidecar.notifications.targets import Origin, Target, TargetType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.keys.port import KeyStore
    from ocw_sidecar.notifications.delivery import Turn
    from ocw_sidecar.notifications.port import Channel, ChannelBook, Channels

#: Mail, a pager, a chat, a webhook, and one of each to spare.
MAX_CHANNELS: Final = 8
MINUTES_PER_DAY: Final = 1440

_CONTEXT: Final = b"caregrid/channel/v1"
_ID_LEN: Final = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One channel as its recipient wants it."""

    target: Target
    kinds: frozenset[NoticeKind] = BY_DEFAULT
    digest_minute: int | None = None  #: after midnight in UTC; None: at once

    def __post_init__(self) -> None:
        if self.digest_minute is not None and not 0 <= self.digest_minute < MINUTES_PER_DAY:
            raise InputInvalid("a digest has a time of day")

    @property
    def wanted(self) -> frozenset[NoticeKind]:
        """The kinds that go over it: emergency access cannot be switched off."""
        return self.kinds | URGENT


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedChannel:
    """One channel as it is kept."""

    id: bytes  #: 16 bytes: recipient, origin and slot, hashed
    slot: int
    sealed: bytes  #: the target
    wrapped_key: bytes
    kinds: frozenset[NoticeKind]
    digest_minute: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredChannel:
    """A kept channel, and how it fares."""

    channel: SealedChannel
    failures: int  #: in a row
    waiting: int
    given_up: int
    code: str | None  #: what the last failure was


class Preferences:
    """Seals, keeps and opens channels."""

    def __init__(self, book: ChannelBook, key_store: KeyStore, channels: Channels) -> None:
        self._book, self._key_store, self._channels = book, key_store, channels

    async def replace(
        self, recipient: bytes, choices: Sequence[Choice], *, origin: Origin = Origin.OWN
    ) -> None:
        """Make these the recipient's channels.

        Raises:
            InputInvalid: there are too many.
            ChannelRefused: one may not be used.
        """
        if len(choices) > MAX_CHANNELS:
            raise InputInvalid(f"a recipient has at most {MAX_CHANNELS} channels")
        sealed = [
            await asyncio.to_thread(self._seal, recipient, origin, slot, choice)
            for slot, choice in enumerate(choices)
        ]
        await self._book.replace(recipient, origin, sealed)

    async def require_known(self, account: bytes) -> None:
        """Refuse an account that has nothing to do with us: accounts cost nothing, what we keep does.

        Raises:
            AccessRefused: nothing was ever told to it, and it decides for no patient here.
        """
        if not await self._book.knows(account):
            raise AccessRefused("there were no notices for this account yet; follow the feed until there are")

    async def described(self, recipient: bytes) -> list[dict[str, Any]]:
        """Return the recipient's own channels fit for JSON; of an address no more than its host."""
        stored = await self._book.channels(recipient, Origin.OWN)
        targets = [await asyncio.to_thread(self._open, each.channel) for each in stored]
        return [_described(each, target) for each, target in zip(stored, targets, strict=True)]

    async def channel(self, turn: Turn) -> Channel:
        """Return the open channel of a turn.

        Raises:
            WrongKey, SealBroken: the key store has another master key, or the row was altered.
            ChannelRefused: the settings do not allow it any more.
        """
        return await asyncio.to_thread(self._open_turn, turn)

    def _open_turn(self, turn: Turn) -> Channel:
        target = self._unseal(turn.channel, turn.sealed, turn.wrapped_key)
        return self._channels.open(target, trusted=turn.origin is Origin.SETTINGS)

    def _seal(self, recipient: bytes, origin: Origin, slot: int, choice: Choice) -> SealedChannel:
        self._channels.open(choice.target, trusted=origin is Origin.SETTINGS)  # refuses what may not be used
        channel_id, data_key = channel_id_of(recipient, origin, slot), new_data_key()
        return SealedChannel(
            id=channel_id,
            slot=slot,
            sealed=seal(data_key, channel_id, choice.target.to_bytes()),
            wrapped_key=self._key_store.wrap(channel_id, data_key),
            kinds=choice.wanted,
            digest_minute=choice.digest_minute,
        )

    def _open(self, channel: SealedChannel) -> Target:
        return self._unseal(channel.id, channel.sealed, channel.wrapped_key)

    def _unseal(self, channel_id: bytes, sealed: bytes, wrapped: bytes) -> Target:
        data_key = self._key_store.unwrap(channel_id, wrapped)
        return Target.from_bytes(open_sealed(data_key, channel_id, sealed))


def channel_id_of(recipient: bytes, origin: Origin, slot: int) -> bytes:
    """Return the id of a recipient's channel; a slot keeps it when it leads elsewhere."""
    named = b"/".join([_CONTEXT, recipient, origin.encode(), str(slot).encode()])
    return hashlib.sha256(named).digest()[:_ID_LEN]


def _described(stored: StoredChannel, target: Target) -> dict[str, Any]:
    channel, minute = stored.channel, stored.channel.digest_minute
    return {
        "type": target.type,
        "scheme": target.scheme,
        # A chat's "host" is part of its token; only a webhook's is an address.
        "host": urlsplit(target.url).hostname if target.type is TargetType.WEBHOOK else None,
        "kinds": sorted(channel.kinds),
        "digest_at": None if minute is None else f"{minute // 60:02}:{minute % 60:02}",
        "failures": stored.failures,
        "waiting": stored.waiting,
        "given_up": stored.given_up,
        "code": stored.code,
    }
