"""The values of the ledger. Ids and accounts are bytes, heights block numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain.port import Grant, Scope, StoredObject


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingGrant:
    """A grant whose key is still to be delivered."""

    scope: Scope
    grantee: bytes
    expires_at: int
    emergency: bool
    attempts: int  #: that failed so far
    wave: int = 0  #: not 0: what stands is to be replaced even if it fits the grantee's key; see `redeliver`


@dataclass(frozen=True, kw_only=True, slots=True)
class EndingGrant:
    """A grant that ends soon."""

    scope: Scope
    grantee: bytes
    expires_at: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EscrowedKey:
    """A data key, wrapped to a grantee, of which the chain knows the digest."""

    record_id: bytes
    wrapped: bytes
    key_version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownObject:
    """One of our objects and when it was looked after."""

    object_id: bytes
    stored_at: int
    looked_at: int  #: when its storage was last looked at; at first when it was stored
    asked_at: int  #: when it was last challenged; at first when it was stored
    challenged_at: int | None  #: the challenge reported last
    contained: int  #: times that the open challenge went unanswered
    contained_at: int | None  #: the open challenge, to be asked again


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """What was asked and answered in a check of an object."""

    digest: bytes  #: SHA-256 of the body
    object_id: bytes
    challenged_at: int
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """Some of what stands on the chain, read from its state instead of its events."""

    grants: Sequence[Grant] = ()
    objects: Sequence[StoredObject] = ()
    records: Sequence[tuple[bytes, bytes, bytes]] = ()  #: record, patient, object
