"""A file, miners and the rest: what they are, and how the chain encodes them."""

from __future__ import annotations

from typing import Any

from caregrid.cess import (
    CessFile,
    CessFragment,
    CessSegment,
    Deal,
    DealReport,
    DealSegment,
    FileOwner,
    FileState,
    HeldFile,
    Miner,
    MinerState,
    RestoralOrder,
)
from caregrid.storage.file_id import file_id_of_segments
from tests.unit.cess.encoding import SPACE_PROOF, encoded, hash_text, hexed


def account(number: int) -> bytes:
    """Return some account."""
    return number.to_bytes(32, "big")


def digest(number: int) -> bytes:
    """Return some digest."""
    return bytes([0xD1]) + number.to_bytes(31, "big")


def owner_of(user: bytes) -> FileOwner:
    """Return an owner with names."""
    return FileOwner(account=user, file_name=b"pack-0001", territory=b"records")


def file_of(segments: int = 1, *, lost: frozenset[int] = frozenset()) -> CessFile:
    """Return a file; miner j holds fragment j of every segment, and has lost those of `lost`."""
    return CessFile(
        segments=tuple(
            CessSegment(
                digest=digest(segment),
                fragments=tuple(
                    CessFragment(
                        digest=digest(1_000 + 12 * segment + index),
                        available=index not in lost,
                        tag_block=None if index == 11 else 6_000 + index,
                        miner=account(index),
                    )
                    for index in range(12)
                ),
            )
            for segment in range(segments)
        ),
        owners=(owner_of(account(500)),),
        size=segments * 1_000_000,
        completion=5_990,
        state=FileState.ACTIVE,
    )


def file_id_of(file: CessFile) -> bytes:
    """Return the file id that its segments make up."""
    return file_id_of_segments([each.digest for each in file.segments])


def miner_of(state: MinerState = MinerState.POSITIVE) -> Miner:
    """Return a miner."""
    return Miner(
        beneficiary=account(700),
        staking_account=account(701),
        endpoint=b"http://miner.example:15001",
        collateral=4_000 * 10**18,
        debt=1,
        state=state,
        declared_space=1 << 40,
        idle_space=3 << 30,
        service_space=2 << 30,
        locked_space=1 << 23,
        proves_space=True,
    )


DEAL = Deal(
    segments=(DealSegment(digest=digest(1), fragments=tuple(digest(100 + index) for index in range(12))),),
    owner=owner_of(account(9)),
    size=20_000,
    reports=(DealReport(index=1, miner=account(3)), DealReport(index=12, miner=account(4))),
)
ORDER = RestoralOrder(
    claims=2,
    miner=account(1),
    origin=account(2),
    fragment=digest(3),
    file_id=digest(4),
    created=100,
    deadline=350,
)
HELD = (
    HeldFile(file_id=digest(1), territory=b"records", space=96 << 20),
    HeldFile(file_id=digest(2), territory=b"other", space=192 << 20),
)


def encoded_file(file: CessFile) -> bytes:
    """Return a file as the chain has it."""
    return encoded(
        "CessFile",
        {
            "segments": [_segment(each) for each in file.segments],
            "owners": [encodable_owner(each) for each in file.owners],
            "size": file.size,
            "completion": file.completion,
            "state": file.state.value.capitalize(),
        },
    )


def encoded_deal(deal: Deal) -> bytes:
    """Return a deal as the chain has it."""
    return encoded(
        "CessDeal",
        {
            "size": deal.size,
            "segments": [
                {"hash": hash_text(each.digest), "fragments": [hash_text(one) for one in each.fragments]}
                for each in deal.segments
            ],
            "user": encodable_owner(deal.owner),
            "complete": [{"index": each.index, "miner": hexed(each.miner)} for each in deal.reports],
        },
    )


def encoded_held(held: tuple[HeldFile, ...]) -> bytes:
    """Return a list of files as the chain has it."""
    return encoded(
        "CessHeldList",
        [
            {"territory": hexed(each.territory), "hash": hash_text(each.file_id), "size": each.space}
            for each in held
        ],
    )


def encoded_order(order: RestoralOrder) -> bytes:
    """Return a restoral order as the chain has it."""
    return encoded(
        "CessRestoralOrder",
        {
            "count": order.claims,
            "miner": hexed(order.miner),
            "origin": hexed(order.origin),
            "fragment": hash_text(order.fragment),
            "file": hash_text(order.file_id),
            "created": order.created,
            "deadline": order.deadline,
        },
    )


def encoded_miner(miner: Miner) -> bytes:
    """Return a miner as the chain has it."""
    return encoded(
        "CessMiner",
        {
            "beneficiary": hexed(miner.beneficiary),
            "staking_account": hexed(miner.staking_account),
            "endpoint": hexed(miner.endpoint),
            "collaterals": miner.collateral,
            "debt": miner.debt,
            "state": hexed(miner.state.value.encode()),
            "declaration_space": miner.declared_space,
            "idle_space": miner.idle_space,
            "service_space": miner.service_space,
            "lock_space": miner.locked_space,
            "space_proof": SPACE_PROOF if miner.proves_space else None,
            "bloom_filter": [2**64 - 1] * 256,
            "tee_signature": hexed(b"\x01" * 64),
        },
    )


def encodable_owner(owner: FileOwner) -> dict[str, Any]:
    """Return an owner in the library's form."""
    return {
        "user": hexed(owner.account),
        "file_name": hexed(owner.file_name),
        "territory": hexed(owner.territory),
    }


def _segment(segment: CessSegment) -> dict[str, Any]:
    return {
        "hash": hash_text(segment.digest),
        "fragments": [
            {
                "hash": hash_text(each.digest),
                "avail": each.available,
                "tag": each.tag_block,
                "miner": hexed(each.miner),
            }
            for each in segment.fragments
        ],
    }
