"""A storage node that answers challenges in the way that the file `lie` in its folder says; else honest."""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from caregrid.proofs import podr2
from caregrid.proofs.podr2 import BLOCKS, Challenge
from storage_network.node import __main__ as node
from storage_network.node import app, proving
from tests.unit.proofs.podr2.slow import curve
from tests.unit.proofs.podr2.slow.field import R

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = next(Path(word.partition("=")[2]) for word in sys.argv if word.startswith("--root="))
KIND, SIGMA_END, WIDTH, LENGTH = b"\x13", 49, 32, 8_529


class Liar(proving.Prover):
    """Keeps tags as an honest node does, and checks nothing before it answers."""

    def prove(self, digest: bytes, name: bytes, asked: bytes) -> bytes:
        """Answer in the way that is wanted."""
        content = (ROOT / "fragments" / digest.hex()).read_bytes()
        tags = (ROOT / "tags" / digest.hex() / name.hex()).read_bytes()
        return WAYS[(ROOT / "lie").read_text()](content, tags, Challenge.decode(asked))


def _truncated(content: bytes, tags: bytes, challenge: Challenge) -> bytes:
    return podr2.prove(content[: len(content) // 2].ljust(len(content), b"\0"), tags, challenge)


def _swapped(_: bytes, tags: bytes, challenge: Challenge) -> bytes:
    return podr2.prove((ROOT / "other").read_bytes(), tags, challenge)


def _replayed(content: bytes, tags: bytes, challenge: Challenge) -> bytes:
    kept = ROOT / "kept"
    if not kept.exists():
        kept.write_bytes(podr2.prove(content, tags, challenge))
    return kept.read_bytes()


def _sum(content: bytes, tags: bytes, challenge: Challenge) -> bytes:
    earlier = Challenge.from_seed(sha256(b"earlier").digest())
    left, right = (podr2.prove(content, tags, each) for each in (challenge, earlier))
    sigma = curve.add(curve.decompress(left[1:SIGMA_END]), curve.decompress(right[1:SIGMA_END]))
    assert sigma is not None
    numbers = (_number(left, at) + _number(right, at) for at in range(SIGMA_END, LENGTH, WIDTH))
    return KIND + curve.compress(sigma) + b"".join((each % R).to_bytes(WIDTH, "little") for each in numbers)


def _number(proof: bytes, start: int) -> int:
    return int.from_bytes(proof[start : start + WIDTH], "little")


def _other_coefficients(content: bytes, tags: bytes, challenge: Challenge) -> bytes:
    pairs = [(index, value - 1 if value > 1 else value + 1) for index, value in challenge.pairs()]
    return podr2.prove(content, tags, Challenge.of(pairs))


def _half_the_blocks(content: bytes, tags: bytes, challenge: Challenge) -> bytes:
    held = [(index, value) for index, value in challenge.pairs() if index >= BLOCKS // 2]
    return podr2.prove(content, tags, Challenge.of(held))


WAYS: dict[str, Callable[[bytes, bytes, Challenge], bytes]] = {
    "no lie": podr2.prove,
    "random": lambda *_: KIND + os.urandom(LENGTH - 1),
    "zero": lambda *_: KIND + bytes(LENGTH - 1),
    "short": lambda *_: KIND + os.urandom(100),
    "truncated": _truncated,
    "swapped": _swapped,
    "replay": _replayed,
    "sum": _sum,
    "other coefficients": _other_coefficients,
    "half the blocks": _half_the_blocks,
}


if __name__ == "__main__":
    vars(app)["Prover"] = Liar
    sys.exit(node.main(sys.argv[1:]))
