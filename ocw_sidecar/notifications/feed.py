"""A recipient's notices in the order in which he is told them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocw_sidecar.notifications.items import Notice


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """A notice as it is kept for its recipient."""

    position: int  #: 1 for his first, then one more each
    id: bytes  #: 16 random bytes, the same each time that it is delivered
    notice: Notice

    def described(self) -> dict[str, Any]:
        """Return it fit for JSON, the same in feed, webhook and list."""
        return {
            "id": self.id.hex(),
            "position": self.position,
            "kind": self.notice.kind,
            "at": self.notice.at.isoformat(timespec="milliseconds"),
            "facts": dict(self.notice.facts),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some of a recipient's notices, the oldest first."""

    items: Sequence[Posted]
    newest: int  #: the position of his last notice so far, 0 before the first
    gap: int | None  #: notices behind the asked position and up to this one may be gone for ever
