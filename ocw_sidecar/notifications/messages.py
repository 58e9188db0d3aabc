"""What goes over a channel.

A third party that carries a message would see an address beside ids that stand on a public chain, and so
learn who a patient is. So it carries the *outline*: what kind of thing happened, and where to read more. The
*details* go over webhooks, to an address of the recipient's own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ocw_sidecar.notifications.items import NoticeKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ocw_sidecar.notifications.feed import Posted

TITLES: Final[Mapping[NoticeKind, str]] = {
    NoticeKind.ACCESS_REQUESTED: "Access was requested",
    NoticeKind.ACCESS_GRANTED: "Access was granted to you",
    NoticeKind.ACCESS_DENIED: "A request for access was denied",
    NoticeKind.ACCESS_REVOKED: "An access of yours was revoked",
    NoticeKind.ACCESS_EXPIRING: "An access of yours ends soon",
    NoticeKind.ACCESS_EXPIRED: "An access of yours has ended",
    NoticeKind.EMERGENCY_ACCESS: "Emergency access was opened",
    NoticeKind.KEY_RELEASED: "A record's key was handed out",
    NoticeKind.RECORD_FAILED: "Records could not be stored",
    NoticeKind.STORAGE_TROUBLE: "Stored records are in danger",
}

#: The type of a message that holds several notices.
DIGEST: Final = "digest"

_WHERE: Final = "Your CareGrid feed says more."


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """What a third party may see."""

    title: str
    body: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One or more notices to one recipient, sent at once."""

    id: str  #: the same each time that it is sent, so that a receiver can drop a second one
    posted: Sequence[Posted]

    @property
    def type(self) -> str:
        """The kind of its notice, or that it is a digest."""
        return str(self.posted[0].notice.kind) if len(self.posted) == 1 else DIGEST

    def outline(self) -> Outline:
        """Return it without any id but its own."""
        counts: dict[NoticeKind, int] = {}
        for each in self.posted:
            counts[each.notice.kind] = counts.get(each.notice.kind, 0) + 1
        if len(self.posted) == 1:
            title, lines = TITLES[self.posted[0].notice.kind], []
        else:
            title = f"{len(self.posted)} notices"
            lines = [f"{count} x {TITLES[kind]}" for kind, count in counts.items()]
        body = "\n".join([*lines, _WHERE, f"Message {self.id}"])
        return Outline(title=f"CareGrid: {title}", body=body)

    def details(self, sent_at: datetime) -> dict[str, Any]:
        """Return all of it, fit for JSON."""
        return {
            "type": self.type,
            "timestamp": sent_at.isoformat(timespec="milliseconds"),
            "data": {"notices": [each.described() for each in self.posted]},
        }


def message_of(posted: Sequence[Posted]) -> Message:
    """Return the message for some notices; the same notices give the same id."""
    if len(posted) == 1:
        return Message(id=f"msg_{posted[0].id.hex()}", posted=posted)
    together = hashlib.sha256(b"".join(sorted(each.id for each in posted))).hexdigest()
    return Message(id=f"digest_{together[:32]}", posted=posted)
