"""The test vectors of PoDR², as `scripts/make-podr2-vectors` writes them to tests/vectors/podr2/."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256, shake_128
from pathlib import Path
from typing import Any, Final

from caregrid.proofs import podr2
from caregrid.proofs.podr2 import Challenge, Origin, Scheme, SecretKey
from podr2_rounds import rounds

FOLDER: Final = Path(__file__).resolve().parents[2] / "tests/vectors/podr2"

_NOTE: Final = (
    "Made by scripts/make-podr2-vectors. Fragment 0 is 8 MiB of zeros; fragment N is 8 MiB of SHAKE128 over "
    'the ASCII text "fragment N". Bytes are in hex. docs/reference/podr2.md says what they mean.'
)
_KEY_SEED: Final = bytes(range(32))
_FRAGMENTS: Final = (0, 1, 2)
_TAGS_SHOWN: Final = (0, 1, 511, 1023)
#: Fragment, label of the challenge, count.
_PROOFS: Final = ((0, 1, 1), (1, 2, 20), (2, 3, 300))
#: x = 4, which is on the curve and not in the group.
_OUTSIDE: Final = (b"\x80" + bytes(46) + b"\x04").hex()
_FIELD: Final = (
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab"
)
_ORDER: Final = "01000000fffffffffe5bfeff02a4bd5305d8a10908d83933487d9d2953a7ed73"

_FORGERIES: Final[dict[Scheme, list[tuple[str, int, str]]]] = {
    Scheme.PUBLIC: [
        ("kind of the other scheme", 0, "23"),
        ("a point outside the group", 1, _OUTSIDE),
        ("the point zero", 1, "c0" + "00" * 47),
        ("a point that is not compressed", 1, "00"),
        ("a coordinate that is the field's modulus", 1, f"{int(_FIELD[:2], 16) | 0x80:02x}" + _FIELD[2:]),
        ("a number that is the group's order", 49, _ORDER),
        ("a number far above the group's order", 49, "ff" * 32),
    ],
    Scheme.PRIVATE: [
        ("kind of the other scheme", 0, "13"),
        ("a number that is the field's modulus", 1, "ff" * 15 + "7f"),
        ("a number above the field's modulus", 17, "ff" * 16),
    ],
}


@cache
def fragment(number: int) -> bytes:
    """Return the fragment of a number."""
    if number == 0:
        return bytes(podr2.FRAGMENT_LEN)
    return shake_128(f"fragment {number}".encode()).digest(podr2.FRAGMENT_LEN)


def documents() -> dict[str, str]:
    """Return the vector files: name and text of each."""
    made = {
        "rounds.json": {"note": _NOTE, **rounds()},
        "challenges.json": {"note": _NOTE, "origins": _origins(), "challenges": _challenges()},
        "public.json": _scheme(podr2.keygen(Scheme.PUBLIC, _KEY_SEED)),
        "private.json": _scheme(podr2.keygen(Scheme.PRIVATE, _KEY_SEED)),
    }
    return {name: json.dumps(document, indent=1) + "\n" for name, document in made.items()}


def _origins() -> list[dict[str, Any]]:
    hashes = [sha256(b"block %d" % height).digest() for height in range(101, 151)]
    return [_origin(hashes[:32], 100, 101), _origin(hashes, 7, 1 << 40)]


def _origin(hashes: list[bytes], committed_at: int, first_height: int) -> dict[str, Any]:
    genesis, object_id, digest = (sha256(word).digest() for word in (b"genesis", b"object", b"fragment"))
    origin = Origin(
        genesis_hash=genesis,
        object_id=object_id,
        fragment_digest=digest,
        committed_at=committed_at,
        first_height=first_height,
        block_hashes=tuple(hashes),
    )
    return {
        "genesis_hash": genesis.hex(),
        "object_id": object_id.hex(),
        "fragment_digest": digest.hex(),
        "committed_at": committed_at,
        "first_height": first_height,
        "block_hashes": [value.hex() for value in hashes],
        "seed": origin.seed().hex(),
    }


def _challenges() -> list[dict[str, Any]]:
    made = []
    for label, count in ((1, 1), (2, 20), (3, 300), (4, 1024)):
        encoded = Challenge.from_seed(_challenge_seed(label), count).encoded
        shown = {"encoded": encoded.hex()} if count <= 20 else {"sha256": sha256(encoded).hexdigest()}  # noqa: PLR2004 - what a page shows
        made.append({"seed": _challenge_seed(label).hex(), "count": count, **shown})
    return made


def _scheme(key: SecretKey) -> dict[str, Any]:
    tags = {number: podr2.tag(key, fragment(number)) for number in _FRAGMENTS}
    public = {"public_key": key.public_key().encoded.hex()} if key.scheme is Scheme.PUBLIC else {}
    return {
        "note": _NOTE,
        "seed": _KEY_SEED.hex(),
        **public,
        "fragments": [_tags(key.scheme, number, tags[number]) for number in _FRAGMENTS],
        "proofs": [_proof(number, tags[number], label, count) for number, label, count in _PROOFS],
        "malformed": [
            {"why": why, "offset": offset, "bytes": value} for why, offset, value in _FORGERIES[key.scheme]
        ],
    }


def _tags(scheme: Scheme, number: int, tags: bytes) -> dict[str, Any]:
    width = (scheme.tags_len - 1) // podr2.BLOCKS
    return {
        "fragment": number,
        "digest": sha256(fragment(number)).hexdigest(),
        "tags_sha256": sha256(tags).hexdigest(),
        "tags": {index: tags[1 + index * width :][:width].hex() for index in _TAGS_SHOWN},
    }


def _proof(number: int, tags: bytes, label: int, count: int) -> dict[str, Any]:
    seed = _challenge_seed(label)
    proof = podr2.prove(fragment(number), tags, Challenge.from_seed(seed, count))
    return {"fragment": number, "challenge_seed": seed.hex(), "count": count, "proof": proof.hex()}


def _challenge_seed(label: int) -> bytes:
    return sha256(b"challenge %d" % label).digest()
