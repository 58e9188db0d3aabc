"""Many callers share one submitter."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from caregrid.chain import BlockRef, Call, Receipt, Submitter, batching
from caregrid.chain.batching import BatchingSubmitter, Load
from caregrid.chain.refusals.emr import PatientExists
from caregrid.errors import ChainBusy, ChainTimeout, ChainUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

#: Long enough that nothing goes out by age while a test looks.
NEVER_S = 60.0
SOON_S = 0.02


class Recorder(Submitter):
    """Notes each batch, and answers when let."""

    def __init__(self) -> None:
        self.account = bytes(32)
        self.batches: list[list[str]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.fault: Exception | None = None
        self.closed = False

    async def submit(self, call: Call) -> Receipt:
        """Not used by batches."""
        raise NotImplementedError

    async def submit_many(self, calls: Iterable[Call]) -> list[Receipt | Exception]:
        """Refuse what is called `refused`."""
        names = [call.function for call in calls]
        self.batches.append(names)
        await self.may_answer.wait()
        if self.fault is not None:
            raise self.fault
        return [PatientExists() if name == "refused" else receipt(name) for name in names]

    async def close(self) -> None:
        """Note it."""
        self.closed = True


def call(name: str) -> Call:
    """Return a call by name."""
    return Call(pallet="Test", function=name)


def receipt(name: str) -> Receipt:
    """Return the receipt of a call."""
    block = BlockRef(number=1, hash=bytes(32))
    return Receipt(block=block, extrinsic_hash=name.encode(), events=())


@asynccontextmanager
async def running(submitter: BatchingSubmitter) -> AsyncIterator[asyncio.TaskGroup]:
    """Run a submitter, and close it at the end."""
    async with asyncio.TaskGroup() as group:
        group.create_task(submitter.run())
        yield group
        await submitter.close()


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_full_batch_goes_at_once() -> None:
    """As soon as there are enough calls, whoever made them; each caller gets his own results, in order."""
    inner = Recorder()
    async with running(submitter := BatchingSubmitter(inner, size=4, age_s=NEVER_S)) as group:
        single = [group.create_task(submitter.submit(call(name))) for name in ("a", "b")]
        several = group.create_task(submitter.submit_many([call("c"), call("refused")]))
        await asyncio.wait([*single, several])
    assert [["a", "b", "c", "refused"]] == inner.batches
    assert [receipt("a"), receipt("b")] == [task.result() for task in single]
    first, second = several.result()
    assert receipt("c") == first
    assert isinstance(second, PatientExists)


async def test_a_lone_call_goes_when_it_is_old_enough() -> None:
    """It waits for others, but not for long; a refusal is raised for who made the call."""
    inner = Recorder()
    async with running(submitter := BatchingSubmitter(inner, age_s=SOON_S)):
        begun = asyncio.get_running_loop().time()
        assert receipt("a") == await submitter.submit(call("a"))
        assert SOON_S <= asyncio.get_running_loop().time() - begun
        with pytest.raises(PatientExists):
            await submitter.submit(call("refused"))
    assert [["a"], ["refused"]] == inner.batches


async def test_what_is_left_over_does_not_wait_anew() -> None:
    """Five calls and batches of four: the fifth goes when the first would have had to."""
    inner = Recorder()
    async with running(submitter := BatchingSubmitter(inner, size=4, age_s=SOON_S)):
        begun = asyncio.get_running_loop().time()
        await submitter.submit_many([call(name) for name in "abcde"])
        took = asyncio.get_running_loop().time() - begun
    assert [list("abcd"), ["e"]] == inner.batches
    assert took < 20 * SOON_S


async def test_callers_take_turns() -> None:
    """Who comes with one call is in the next batch, though another has hundreds waiting before him."""
    inner = Recorder()
    submitter = BatchingSubmitter(inner, size=4, age_s=NEVER_S)
    async with asyncio.TaskGroup() as group:
        many = group.create_task(submitter.submit_many([call(f"many {number}") for number in range(399)]))
        await settle()
        one = group.create_task(submitter.submit(call("one")))
        await settle()
        group.create_task(submitter.run())
        assert receipt("one") == await one
        assert 399 == len(await many)
        await submitter.close()
    assert ["many 0", "one", "many 1", "many 2"] == inner.batches[0]


async def test_a_second_batch_does_not_wait_for_the_first() -> None:
    """Batches are under way to finality together, up to a bound; beyond it calls gather."""
    inner = Recorder()
    inner.may_answer.clear()
    async with running(submitter := BatchingSubmitter(inner, size=1, age_s=NEVER_S)) as group:
        count = batching.UNDER_WAY + 3
        waiting = group.create_task(submitter.submit_many([call("x")] * count))
        await settle()
        assert batching.UNDER_WAY == len(inner.batches)
        inner.may_answer.set()
        assert count == len(await waiting)
    assert count == len(inner.batches)


async def test_a_cancelled_caller_leaves_the_others() -> None:
    """What he has waiting is not sent, what is under way goes on without him, and his room is free again."""
    inner = Recorder()
    async with running(submitter := BatchingSubmitter(inner, size=3, age_s=NEVER_S, room=3)) as group:
        leaving = group.create_task(submitter.submit_many([call("gone"), call("gone")]))
        await settle()
        leaving.cancel()
        await settle()
        staying = [group.create_task(submitter.submit(call(name))) for name in "abc"]
        assert [receipt(name) for name in "abc"] == [await task for task in staying]
        inner.may_answer.clear()
        sent = [group.create_task(submitter.submit(call(name))) for name in "def"]
        await settle()
        sent[1].cancel()
        inner.may_answer.set()
        assert [receipt("d"), receipt("f")] == [await sent[0], await sent[2]]
    assert [list("abc"), list("def")] == inner.batches


async def test_without_room_a_caller_waits_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """He waits for room for so long, and learns which of his calls were not sent."""
    monkeypatch.setattr(batching, "ROOM_TIMEOUT_S", SOON_S)
    inner = Recorder()
    submitter = BatchingSubmitter(inner, size=8, age_s=SOON_S, room=2)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(submitter.submit_many([call(name) for name in "abcd"]))
        await settle()
        with pytest.raises(ChainBusy):
            await submitter.submit(call("e"))
        await asyncio.sleep(2 * SOON_S)
        group.create_task(submitter.run())
        sent, unsent = (await waiting)[:2], (await waiting)[2:]
        await submitter.close()
    assert [receipt("a"), receipt("b")] == sent
    assert [ChainBusy, ChainBusy] == [type(each) for each in unsent]
    assert [["a", "b"]] == inner.batches


async def test_room_comes_back_with_each_batch() -> None:
    """More calls than there is room for get through all the same."""
    inner = Recorder()
    async with running(submitter := BatchingSubmitter(inner, size=2, age_s=SOON_S, room=2)):
        results = await submitter.submit_many([call(str(number)) for number in range(50)])
    assert [receipt(str(number)) for number in range(50)] == results


async def test_closing_drains() -> None:
    """What waits is sent and its outcome told; what comes later is refused; then the inner one is closed."""
    inner = Recorder()
    inner.may_answer.clear()
    submitter = BatchingSubmitter(inner, size=2, age_s=NEVER_S)
    async with asyncio.TaskGroup() as group:
        group.create_task(submitter.run())
        waiting = group.create_task(submitter.submit_many([call(name) for name in "abc"]))
        await settle()
        closing = group.create_task(submitter.close())
        await settle()
        with pytest.raises(ChainUnreachable):
            await submitter.submit(call("late"))
        assert not closing.done()
        inner.may_answer.set()
    assert [receipt(name) for name in "abc"] == waiting.result()
    assert [["a", "b"], ["c"]] == inner.batches
    assert inner.closed


async def test_closing_what_never_ran() -> None:
    """Nothing to drain; who waited for it to run is told."""
    inner = Recorder()
    submitter = BatchingSubmitter(inner)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(submitter.submit_many([call("a")]))
        await settle()
        await submitter.close()
    assert [ChainUnreachable] == [type(each) for each in waiting.result()]
    assert inner.closed


async def test_cancelled_while_running() -> None:
    """What was sent has an unknown outcome, what was not is known not to be; nobody is left waiting."""
    inner = Recorder()
    inner.may_answer.clear()
    submitter = BatchingSubmitter(inner, size=2, age_s=NEVER_S)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(submitter.run())
        waiting = group.create_task(submitter.submit_many([call(name) for name in "abc"]))
        await settle()
        run.cancel()
    assert [ChainTimeout, ChainTimeout, ChainUnreachable] == [type(each) for each in waiting.result()]


async def test_it_runs_again() -> None:
    """Stopped, it refuses at once; run again, it has all its room and places, whatever was cut short."""
    inner = Recorder()
    submitter = BatchingSubmitter(inner, size=2, age_s=SOON_S, room=4)
    for _ in range(batching.UNDER_WAY + 1):
        inner.may_answer.clear()
        async with asyncio.TaskGroup() as group:
            run = group.create_task(submitter.run())
            cut = group.create_task(submitter.submit_many([call(name) for name in "abc"]))
            await settle()
            run.cancel()
        assert [ChainTimeout, ChainTimeout, ChainUnreachable] == [type(each) for each in cut.result()]
        with pytest.raises(ChainUnreachable):
            await submitter.submit(call("d"))
    inner.may_answer.set()
    async with running(submitter):
        await settle()
        names = [str(number) for number in range(50)]
        assert [receipt(name) for name in names] == await submitter.submit_many(map(call, names))


async def test_the_load_is_told() -> None:
    """What waits, what is under way, and what went out."""
    inner = Recorder()
    inner.may_answer.clear()
    submitter = BatchingSubmitter(inner, size=2, age_s=NEVER_S)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(submitter.run())
        waiting = group.create_task(submitter.submit_many([call(name) for name in "abc"]))
        await settle()
        assert Load(waiting=1, under_way=1, batches=1, calls=2) == submitter.load
        inner.may_answer.set()
        await submitter.close()
        await asyncio.wait([waiting, run])
    assert Load(waiting=0, under_way=0, batches=2, calls=3) == submitter.load


async def test_a_failing_batch_is_its_callers_business() -> None:
    """The next one goes out as if nothing had been."""
    inner = Recorder()
    async with running(submitter := BatchingSubmitter(inner, size=1)):
        inner.fault = ChainUnreachable()
        with pytest.raises(ChainUnreachable):
            await submitter.submit(call("a"))
        inner.fault = None
        assert receipt("b") == await submitter.submit(call("b"))
