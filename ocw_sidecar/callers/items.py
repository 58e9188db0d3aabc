"""The values that stand for callers. Bytes inside; times are aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Scope(StrEnum):
    """What a caller may do."""

    SUBMIT = "submit"  #: hand content over, register patients
    READ = "read"  #: see how far items have come, search them
    RELEASE_KEYS = "release-keys"  #: have data keys wrapped to accounts that may read
    AUDIT = "audit"  #: see to whom data keys were handed out
    ERASE = "erase"  #: have records erased for ever, and see the receipts
    THREATS = "threats"  #: have blocked networks and attack signatures shared
    OPERATE = "operate"  #: replay what failed
    FEED = "feed"  #: notices to the caller's own account, and his preferences


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who makes a request, and what he may do."""

    id: bytes  #: 32 bytes, the same each time; keeps his idempotency keys apart from others'
    account: bytes | None  #: 32 bytes: he speaks for this account only; None for a token without one
    scopes: frozenset[Scope]


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """What is known of a bearer token; never the token."""

    token_id: bytes  #: 16 random bytes, to name it by
    digest: bytes  #: SHA-256 of the token
    account: bytes | None
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None
    used_on: datetime | None = None  #: the day of its last use, without the hour

    def is_good(self, now: datetime) -> bool:
        """Tell whether it opens anything now."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def caller(self) -> Caller:
        """Return whom the bearer is."""
        return Caller(id=self.digest, account=self.account, scopes=self.scopes)
