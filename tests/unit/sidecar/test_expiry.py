"""What has expired, and what is about to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caregrid.chain import RecordScope, calls
from caregrid.testing import SubmitFault
from ocw_sidecar.notifications.items import NoticeKind
from ocw_sidecar.workers.expiry import ExpiryStep
from tests.unit.sidecar.worker_world import GRANTEE, Working, mine, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Working]:
    """A sidecar on a chain whose blocks have no idle time to remove what has expired."""
    changes = {"expiry": {"grace_blocks": 2, "lead_blocks": 20}}
    async with working(tmp_path, workers=changes) as opened:
        opened.world.chain.idle = False
        yield opened


async def run(sidecar: Working) -> int:
    """Take blocks in and run the worker once."""
    await sidecar.follow()
    return await ExpiryStep(sidecar.parts.desk).run_once()


async def kinds(sidecar: Working, recipient: bytes) -> list[NoticeKind]:
    """Return what somebody was told, without what grants themselves tell."""
    page = await sidecar.parts.desk.notices.after(recipient, None, 100)
    told = [posted.notice.kind for posted in page.items]
    return [kind for kind in told if kind is NoticeKind.ACCESS_EXPIRING]


async def test_what_the_chain_left_is_purged(sidecar: Working) -> None:
    """A grant and a request that ended are removed, each once, after the chain had its time."""
    [record] = await sidecar.store(b"one")
    scope, chain = RecordScope(record_id=record), sidecar.world.chain
    await sidecar.grant(scope, blocks=3)
    head = (await chain.finalized_head()).number
    asks = calls.request_access(record, purpose="Research", expires_at=head + 3)
    await chain.submitter(b"\x07" * 32).submit(asks)
    mine(sidecar.world, 3)
    assert 0 == await run(sidecar), "the chain still has its grace"
    mine(sidecar.world, 2)
    assert 2 == await run(sidecar)
    assert await chain.grant(scope, GRANTEE) is None
    assert await chain.access_request(record, b"\x07" * 32) is None
    sent = sidecar.world.submitter.submitted
    assert 0 == await ExpiryStep(sidecar.parts.desk).run_once()
    assert 0 == await run(sidecar)
    assert sent == sidecar.world.submitter.submitted


async def test_what_is_gone_is_not_sent(sidecar: Working) -> None:
    """After an unknown outcome the chain is looked at before anything is sent again."""
    [record] = await sidecar.store(b"one")
    await sidecar.grant(RecordScope(record_id=record), blocks=1)
    mine(sidecar.world, 5)
    sidecar.world.submitter.faults.append(SubmitFault.UNHEARD)
    with pytest.raises(Exception, match="outcome is unknown"):
        await run(sidecar)
    sent = sidecar.world.submitter.submitted
    assert 1 == await ExpiryStep(sidecar.parts.desk).run_once()
    assert sent == sidecar.world.submitter.submitted


async def test_a_renewed_grant_is_not_purged(sidecar: Working) -> None:
    """The later end counts, also when the renewal is not taken in yet."""
    [record] = await sidecar.store(b"one")
    scope = RecordScope(record_id=record)
    await sidecar.grant(scope, blocks=1)
    mine(sidecar.world, 5)
    await sidecar.follow()
    await sidecar.grant(scope, blocks=5_000)
    assert 0 == await ExpiryStep(sidecar.parts.desk).run_once()
    assert await sidecar.world.chain.grant(scope, GRANTEE) is not None
    assert 0 == await run(sidecar)


async def test_holders_are_told_once_before_the_end(sidecar: Working) -> None:
    """Told when the end comes near, once for each term; a renewal begins a new one."""
    [record] = await sidecar.store(b"one")
    scope = RecordScope(record_id=record)
    await sidecar.grant(scope, blocks=40)
    assert 0 == await run(sidecar)
    mine(sidecar.world, 25)
    assert 1 == await run(sidecar)
    assert 0 == await run(sidecar)
    assert [NoticeKind.ACCESS_EXPIRING] == await kinds(sidecar, GRANTEE)
    await sidecar.grant(scope, blocks=60)
    assert 0 == await run(sidecar)
    mine(sidecar.world, 45)
    assert 1 == await run(sidecar)
    assert 2 == len(await kinds(sidecar, GRANTEE))


async def test_short_grants_end_without_a_word(sidecar: Working) -> None:
    """Whoever gets a grant for less than the lead time knows that it ends soon."""
    [record] = await sidecar.store(b"one")
    await sidecar.grant(RecordScope(record_id=record), blocks=15)
    assert 0 == await run(sidecar)
    assert [] == await kinds(sidecar, GRANTEE)
