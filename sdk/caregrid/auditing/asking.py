"""A round: challenges to the storage nodes that hold an object, and the bundle of what they answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from caregrid.errors import (
    CommitmentMismatch,
    FragmentLost,
    ObjectUnknown,
    ProofOverdue,
    RateLimited,
    StorageUnreachable,
    TagsUnknown,
)
from caregrid.proofs.bundle import POINT_LEN, PROOF_LEN, Answer, Bundle, Reply
from caregrid.proofs.proving_store import FragmentPlace

if TYPE_CHECKING:
    from caregrid.auditing.rounds import Committed
    from caregrid.proofs.beacon import Beacon
    from caregrid.proofs.podr2 import PublicKey
    from caregrid.proofs.proving_store import ProvingStore
    from caregrid.proofs.schedule import Terms
    from caregrid.proofs.tag_list import TagList

#: Nodes asked at once.
PARALLEL: Final = 4

#: What cannot be a proof stands in the bundle as this, which is none either.
_UNREADABLE: Final = bytes(PROOF_LEN)
_REPLIES: Final = {
    ProofOverdue: Reply.CONTAINED,
    FragmentLost: Reply.OFFLINE,
    TagsUnknown: Reply.OFFLINE,
    ObjectUnknown: Reply.OFFLINE,
    StorageUnreachable: Reply.OFFLINE,
    RateLimited: Reply.UNKNOWN,
}


def require_committed(known: Committed, tags: TagList, key: PublicKey) -> None:
    """Refuse a list or a key that is not what the chain has, before any node is asked.

    Raises:
        CommitmentMismatch: it is not.
    """
    if known.proof.key != key.encoded[1 : 1 + POINT_LEN] or tags.key_digest != key.digest:
        raise CommitmentMismatch("the proof key is not the one that was committed to on the chain")
    if known.object_id != tags.object_id or known.proof.tags != tags.commitment():
        raise CommitmentMismatch("the list of tags is not the one that was committed to on the chain")


async def ask_round(
    proving: ProvingStore, beacon: Beacon, tags: TagList, key: PublicKey, terms: Terms
) -> Bundle:
    """Ask the nodes what a round asks for and return what came of it, unchecked.

    A node that does not answer with a proof stands in the bundle as one that did not.

    Raises:
        Unauthorised: the gateway refuses the account.
    """
    places = asyncio.Semaphore(PARALLEL)

    async def one(number: int) -> Answer:
        async with places:
            return await _answer(proving, beacon, tags, number, terms)

    try:
        async with asyncio.TaskGroup() as group:
            numbers = beacon.selected(len(tags.fragments), terms)
            tasks = [group.create_task(one(number)) for number in numbers]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return Bundle(
        genesis_hash=beacon.genesis_hash,
        object_id=beacon.object_id,
        committed_at=beacon.committed_at,
        height=beacon.height,
        block_hashes=beacon.block_hashes,
        blocks=terms.blocks,
        tagged=len(tags.fragments),
        key=key.encoded,
        answers=tuple(task.result() for task in tasks),
    )


async def _answer(proving: ProvingStore, beacon: Beacon, tags: TagList, number: int, terms: Terms) -> Answer:
    entry = tags.fragments[number]
    place = FragmentPlace.numbered(tags.object_id, number)
    challenge = beacon.challenge(entry.digest, terms)
    reply, proof = Reply.PROVED, b""
    try:
        proof = await proving.prove(place, entry.tags, challenge)
    except tuple(_REPLIES) as exc:
        reply = next(reply for kind, reply in _REPLIES.items() if isinstance(exc, kind))
    else:
        proof = proof if len(proof) == PROOF_LEN else _UNREADABLE
    path = tuple(await asyncio.to_thread(tags.path, number))
    return Answer(number=number, entry=entry, path=path, reply=reply, proof=proof)
