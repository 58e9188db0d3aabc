"""When a call may be signed again: not before nothing that was signed for it can be included any more."""

from __future__ import annotations

import pytest

from caregrid.chain import BlockRef, Call
from caregrid.chain.flights import Flight, Progress, Signed
from caregrid.chain.signing import ERA_PERIOD


def signed(nonce: int, spec: int, born: int = 10) -> Signed:
    """Return what was signed for a runtime."""
    return Signed(raw=b"", hash=bytes(32), nonce=nonce, spec=spec, born=born)


@pytest.mark.parametrize(
    ("tries", "nonce", "spec", "dead"),
    [
        ([signed(5, 100)], 5, 100, False),
        ([signed(5, 100)], 6, 100, True),
        ([signed(5, 100)], 5, 101, True),
        # Signed for a runtime that is not final yet.
        ([signed(5, 101)], 5, 100, False),
        ([signed(5, 100), signed(7, 100)], 7, 100, False),
        ([signed(5, 100), signed(7, 100)], 8, 100, True),
        ([signed(5, 100), signed(7, 101)], 7, 101, False),
        ([signed(5, 100), signed(7, 101)], 5, 102, True),
    ],
)
def test_dead_or_not(tries: list[Signed], nonce: int, spec: int, dead: bool) -> None:  # noqa: FBT001 - a table
    """A nonce below the account's, or a runtime that was replaced: in the finalized state, for every try."""
    flight = Flight(call=Call(pallet="", function=""), tries=tries)
    head = BlockRef(number=12, hash=bytes(32))
    assert dead == flight.is_dead(Progress(head=head, nonce=nonce, spec=spec))


def test_the_last_block_that_can_include_it() -> None:
    """That of the latest try."""
    flight = Flight(call=Call(pallet="", function=""), tries=[signed(1, 1, 10), signed(1, 1, 30)])
    assert 30 + ERA_PERIOD == flight.last
