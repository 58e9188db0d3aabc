"""What is remembered of callers, durably and for all processes on one database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ocw_sidecar.callers.items import Token

#: A site has a handful of applications; more tokens than this are a script gone wrong.
MAX_TOKENS: Final = 1000


class Callers(ABC):
    """Tokens, and the nonces of signed requests. Every method is one transaction."""

    @abstractmethod
    async def token(self, digest: bytes) -> Token | None:
        """Return the token with this SHA-256, good or not."""

    @abstractmethod
    async def tokens(self) -> list[Token]:
        """Return every token that is kept, the oldest first."""

    @abstractmethod
    async def add(self, token: Token) -> None:
        """Keep a token; those that ended long ago make room for it.

        Raises:
            InputInvalid: there are `MAX_TOKENS` already.
        """

    @abstractmethod
    async def adopt(self, tokens: Sequence[Token]) -> int:
        """Keep those whose digest is not known yet, and return their number."""

    @abstractmethod
    async def revoke(self, token_id: bytes, *, now: datetime) -> bool:
        """End a token; return False when there is none with this id that was not revoked before."""

    @abstractmethod
    async def note_use(self, token_id: bytes, *, day: datetime) -> None:
        """Remember the day on which a token was used last."""

    @abstractmethod
    async def remember(self, nonce: bytes, *, now: datetime, until: datetime) -> bool:
        """Remember a request's 32-byte nonce; return False when it was seen before.

        Nonces whose time is over are forgotten, some at each call.
        """
