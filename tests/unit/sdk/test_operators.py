"""The accounts that act for an organisation, on the chain in memory."""

from __future__ import annotations

import pytest

from caregrid.chain import calls
from caregrid.errors import CallRejected, InputInvalid
from caregrid.operators import Operators
from caregrid.testing.chain import MemoryChain

HOSPITAL, FIRST, SECOND = (bytes([number]) * 32 for number in (1, 2, 3))


async def hospital() -> tuple[MemoryChain, Operators]:
    """Return a chain with an organisation of one operator, and that organisation's view."""
    chain = MemoryChain()
    submitter = chain.submitter(HOSPITAL)
    await submitter.submit(calls.register_organisation([FIRST]))
    return chain, Operators(chain, submitter, HOSPITAL)


async def test_two_overlap() -> None:
    """The second is added beside the first, which then goes."""
    _, operators = await hospital()
    assert {FIRST, SECOND} == await operators.add(SECOND)
    assert {FIRST, SECOND} == await operators.add(SECOND)
    assert {SECOND} == await operators.remove(FIRST)
    assert {SECOND} == await operators.list()


async def test_who_goes_may_do_nothing_more() -> None:
    """The chain refuses what the account sends afterwards."""
    chain, operators = await hospital()
    await operators.remove(FIRST)
    with pytest.raises(CallRejected):
        await chain.submitter(FIRST).submit(calls.register_patient(HOSPITAL, bytes(32)))


async def test_bad_input() -> None:
    """Somebody who is no organisation, who is no operator, and one too many."""
    chain, operators = await hospital()
    nobody = Operators(chain, chain.submitter(SECOND), SECOND)
    for work in (nobody.list(), nobody.add(FIRST), operators.remove(SECOND)):
        with pytest.raises(InputInvalid):
            await work
    for number in range(31):
        await operators.add(bytes([100 + number]) * 32)
    with pytest.raises(InputInvalid, match="32"):
        await operators.add(SECOND)
    assert SECOND not in await operators.list()
