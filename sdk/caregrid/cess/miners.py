"""Storage miners: the pallet `Sminer`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from caregrid.cess import scale
from caregrid.cess.scale import Malformed

if TYPE_CHECKING:
    from caregrid.cess.scale import Cursor

PALLET: Final = "Sminer"

_MAX_ENDPOINT: Final = 100
#: The chain allows 200,000; the longest state has nine.
_MAX_STATE: Final = 20
#: Two counters, the key of the idle-space proofs (two numbers of 2,048 bits), and their accumulator.
_SPACE_PROOF_LEN: Final = 8 + 8 + 2 * 256 + 256
BLOOM_FILTER_LEN: Final = 256 * 8
SIGNATURE_LEN: Final = 64


class MinerState(StrEnum):
    """A miner's standing, in the chain's own words."""

    NOT_READY = "not ready"  #: registered, without a key for its idle space yet
    POSITIVE = "positive"
    FROZEN = "frozen"  #: its collateral is below the limit: it takes nothing new
    LOCK = "lock"  #: it has asked to leave
    EXIT = "exit"  #: it has left
    OFFLINE = "offline"  #: it was put out for not answering audits

    @property
    def holds(self) -> bool:
        """Whether the chain still audits the miner and holds it liable for its fragments."""
        return self in {MinerState.POSITIVE, MinerState.FROZEN, MinerState.LOCK}


@dataclass(frozen=True, kw_only=True, slots=True)
class Miner:
    """One storage miner.

    The order of the fields that this is read from is `MinerInfo`'s in the source of the pallet `Sminer`,
    runtime 133. It was not compared with a running chain.
    """

    beneficiary: bytes
    staking_account: bytes
    endpoint: bytes = field(repr=False)  #: as the miner wrote it: check it before connecting
    collateral: int
    debt: int
    state: MinerState
    declared_space: int  #: bytes
    idle_space: int
    service_space: int
    locked_space: int  #: promised to files that are not complete, or not tagged yet
    proves_space: bool  #: whether it has certified idle space


def read_miner(cursor: Cursor) -> Miner:
    """Read a value of `MinerItems`."""
    miner = Miner(
        beneficiary=scale.account(cursor),
        staking_account=scale.account(cursor),
        endpoint=cursor.vector(_MAX_ENDPOINT),
        collateral=scale.amount(cursor),
        debt=scale.amount(cursor),
        state=_state(cursor),
        declared_space=scale.amount(cursor),
        idle_space=scale.amount(cursor),
        service_space=scale.amount(cursor),
        locked_space=scale.amount(cursor),
        proves_space=cursor.option(skip_space_proof) is not None,
    )
    cursor.take(BLOOM_FILTER_LEN + SIGNATURE_LEN)
    return miner


def skip_space_proof(cursor: Cursor) -> bytes:
    """Pass over a `SpaceProofInfo`; return whose it is."""
    miner = scale.account(cursor)
    cursor.take(_SPACE_PROOF_LEN)
    return miner


def _state(cursor: Cursor) -> MinerState:
    text = cursor.vector(_MAX_STATE)
    try:
        return MinerState(text.decode("ascii"))
    except ValueError as exc:
        raise Malformed from exc
