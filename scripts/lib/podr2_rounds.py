"""The test vectors of rounds, tag lists and bundles, as `scripts/make-podr2-vectors` writes them."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from caregrid.proofs import schedule
from caregrid.proofs.beacon import Beacon
from caregrid.proofs.bundle import PROOF_LEN, Answer, Bundle, Reply
from caregrid.proofs.podr2 import MIXED_BLOCKS, PUBLIC_KEY_LEN
from caregrid.proofs.schedule import Terms
from caregrid.proofs.tag_list import TaggedFragment, TagList

_COMMITTED_AT: Final = 100
_HEIGHT: Final = 140
#: Fragments of the object, fragments asked for.
_SELECTIONS: Final = ((12, 12), (12, 5), (36, 5), (12_000, 12), (12_000, 256))


def rounds() -> dict[str, Any]:
    """Return the vectors."""
    return {
        "first_rounds": [[height, schedule.first_round(height)] for height in (0, 8, 9, 100, 118, 1 << 40)],
        "genesis_hash": _hash("genesis").hex(),
        "object_id": _hash("object").hex(),
        "committed_at": _COMMITTED_AT,
        "round": _HEIGHT,
        "block_hashes": [value.hex() for value in _hashes()],
        "selections": [_selection(tagged, wanted) for tagged, wanted in _SELECTIONS],
        "tag_list": _tag_list(),
        "bundle": _bundle(),
    }


def _selection(tagged: int, wanted: int) -> dict[str, Any]:
    drawn = _beacon().selected(tagged, Terms(fragments=wanted))
    return {"tagged": tagged, "fragments": wanted, "selected": list(drawn)}


def _tag_list() -> dict[str, Any]:
    made = _list()
    return {
        "fragments": [[each.digest.hex(), each.tags.hex()] for each in made.fragments],
        "key_digest": made.key_digest.hex(),
        "commitment": made.commitment().hex(),
        "path_of_20": [step.hex() for step in made.path(20)],
        "encoded_sha256": sha256(made.encode()).hexdigest(),
    }


def _bundle() -> dict[str, Any]:
    """Describe a bundle of form only: its key and its proof are rows of one byte."""
    made = Bundle(
        genesis_hash=_hash("genesis"),
        object_id=_hash("object"),
        committed_at=_COMMITTED_AT,
        height=_HEIGHT,
        block_hashes=_hashes(),
        blocks=300,
        tagged=36,
        key=b"\x11" * PUBLIC_KEY_LEN,
        answers=(_answer(3, Reply.PROVED), _answer(20, Reply.CONTAINED)),
    )
    encoded = made.encode()
    return {
        "key_byte": "11",
        "proof_byte": "13",
        "answers": [[each.number, int(each.reply)] for each in made.answers],
        "length": len(encoded),
        "head": encoded[:87].hex(),
        "digest": made.digest().hex(),
    }


def _answer(number: int, reply: Reply) -> Answer:
    proof = b"\x13" * PROOF_LEN if reply is Reply.PROVED else b""
    listed = _list()
    return Answer(
        number=number,
        entry=listed.fragments[number],
        path=tuple(listed.path(number)),
        reply=reply,
        proof=proof,
    )


def _list() -> TagList:
    entries = [
        TaggedFragment(digest=_hash(f"fragment {number}"), tags=_hash(f"tags {number}"))
        for number in range(36)
    ]
    return TagList(object_id=_hash("object"), key_digest=_hash("key"), fragments=tuple(entries))


def _beacon() -> Beacon:
    return Beacon(
        genesis_hash=_hash("genesis"),
        object_id=_hash("object"),
        committed_at=_COMMITTED_AT,
        height=_HEIGHT,
        block_hashes=_hashes(),
    )


def _hashes() -> tuple[bytes, ...]:
    first = schedule.first_mixed(_HEIGHT)
    return tuple(_hash(f"block {height}") for height in range(first, first + MIXED_BLOCKS))


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()
