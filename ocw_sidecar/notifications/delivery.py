"""What a lane works on, and what it says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ocw_sidecar.notifications.feed import Posted
    from ocw_sidecar.notifications.targets import Origin


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One notice that is due on one channel."""

    id: int
    attempts: int  #: that failed so far
    since: datetime  #: when it came in
    posted: Posted


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """A lease on one channel, with what is due on it."""

    channel: bytes
    lease: bytes
    origin: Origin
    failures: int  #: in a row
    digest: bool  #: what is not urgent goes in one message
    sealed: bytes
    wrapped_key: bytes
    deliveries: Sequence[Delivery]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What became of deliveries that failed together."""

    retried: Sequence[int]
    given_up: Sequence[int]
    code: str
    due: datetime  #: when the channel, and what is retried, is tried again
