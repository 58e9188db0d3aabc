"""The log of released keys, and who asked to be told of them, on each kind of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ocw_sidecar.adapters.sql.channels import SqlChannelBook
from ocw_sidecar.adapters.sql.notices import SqlNotices
from ocw_sidecar.adapters.sql.queue import SqlQueue
from ocw_sidecar.adapters.sql.search import SqlSearch
from ocw_sidecar.notifications.items import NoticeKind
from ocw_sidecar.notifications.preferences import Choice, SealedChannel
from ocw_sidecar.notifications.targets import Origin, Target, TargetType
from ocw_sidecar.pipeline.releases import Ground

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql import Database

RECORD, OTHER = b"\x10" * 16, b"\x11" * 16
ANN, BOB = b"\x0a" * 32, b"\x0b" * 32
NOW = datetime(2026, 6, 1, tzinfo=UTC)


async def test_releases_are_kept_by_record_and_read_in_pages(database: Database) -> None:
    """The newest first, each with time and ground; a page below the last number goes on."""
    queue, search = SqlQueue(database), SqlSearch(database)
    for number, ground in enumerate(Ground):
        await queue.note_release(RECORD, ANN, ground=ground, now=NOW + timedelta(seconds=number))
        await queue.note_release(OTHER, BOB, ground=ground, now=NOW)
    first = await search.releases(RECORD, before=None, limit=3)
    rest = await search.releases(RECORD, before=first.next, limit=3)
    assert [*reversed(Ground)] == [each.ground for each in (*first.items, *rest.items)]
    assert (NOW + timedelta(seconds=3), ANN) == (first.items[0].released_at, first.items[0].account)
    assert rest.next is None
    assert not (await search.releases(bytes(16), before=None, limit=3)).items


async def test_only_a_channel_that_names_releases_wants_them(database: Database) -> None:
    """By default a channel has all other kinds; one that is taken away wants nothing."""
    notices, book = SqlNotices(database), SqlChannelBook(database, lambda: NOW)
    target = Target(type=TargetType.WEBHOOK, url="https://example.org/", secrets=(bytes(24),))
    asking = Choice(target=target, kinds=frozenset({NoticeKind.KEY_RELEASED}))
    for account, choice in ((ANN, asking), (BOB, Choice(target=target))):
        channel = SealedChannel(
            id=account[:16], slot=0, sealed=b"s", wrapped_key=b"w", kinds=choice.wanted, digest_minute=None
        )
        await book.replace(account, Origin.OWN, [channel])
    assert await notices.wants(ANN, NoticeKind.KEY_RELEASED)
    assert not await notices.wants(BOB, NoticeKind.KEY_RELEASED)
    assert await notices.wants(BOB, NoticeKind.ACCESS_REQUESTED)
    await book.replace(ANN, Origin.OWN, [])
    assert not await notices.wants(ANN, NoticeKind.KEY_RELEASED)
