"""What a node's pool refuses before any block: the call changed nothing, and no fee was paid."""

from __future__ import annotations

from caregrid.chain.refusals.base import Refusal


class PoolRefusal(Refusal):
    """The pool did not take the call."""

    PALLET = "TransactionPool"


class Undecodable(PoolRefusal):
    """The runtime cannot decode the call: a list over its bound, a missing field, or no such call."""


class BadSignature(PoolRefusal):
    """The signature does not fit the call, the account and the chain's present runtime version."""


class NonceTaken(PoolRefusal):
    """Another process signs with this account's key; give each its own operator key."""


class EraEnded(PoolRefusal):
    """The call was signed too long ago; sign it again."""


class FeeUnpayable(PoolRefusal):
    """The account cannot pay the fee; transfer tokens to it."""
