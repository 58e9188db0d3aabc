"""Project Wycheproof's cases for the two primitives of the sealed record; see tests/vectors/wycheproof."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from caregrid.errors import SealBroken
from caregrid.sealed.cipher import SegmentCipher, hkdf_sha256

VECTORS: Final = Path(__file__).resolve().parents[2] / "vectors/wycheproof"


def cases(name: str, **parameters: int) -> list[Any]:
    """Return the cases of the groups that have these parameters, named by their numbers."""
    groups = json.loads((VECTORS / name).read_text())["testGroups"]
    return [
        pytest.param(case, id=f"{case['tcId']}-{case['result']}")
        for group in groups
        if parameters.items() <= group.items()
        for case in group["tests"]
    ]


HKDF: Final = cases("hkdf_sha256_test.json")
AES_GCM: Final = cases("aes_gcm_test.json", keySize=256, ivSize=96, tagSize=128)
VALID: Final = "valid"


class AtNonce(SegmentCipher):
    """The cipher of segments, with key and nonce given instead of derived."""

    def __init__(self, key: bytes, nonce: bytes) -> None:
        self._aead, self._key_proved, self._given = AESGCM(key), False, nonce

    def _nonce(self, index: int, *, last: bool) -> bytes:
        del index, last
        return self._given


def unhexed(case: dict[str, Any], *names: str) -> list[bytes]:
    """Return fields of a case as bytes."""
    return [bytes.fromhex(case[name]) for name in names]


def test_the_cases_are_there() -> None:
    """None is lost by a wrong filter: the files' own counts, and both kinds of each."""
    assert (86, 66) == (len(HKDF), len(AES_GCM))
    for chosen in (HKDF, AES_GCM):
        assert {"valid", "invalid"} == {param.values[0]["result"] for param in chosen}


@pytest.mark.parametrize("case", HKDF)
def test_key_derivation(case: dict[str, Any]) -> None:
    """What derives the segments' key gives the expected bytes, and refuses lengths that HKDF cannot give."""
    secret, salt, info, expected = unhexed(case, "ikm", "salt", "info", "okm")
    if case["result"] == VALID:
        assert expected == hkdf_sha256(secret, salt, info, case["size"])
    else:
        with pytest.raises(ValueError, match="larger than 8160"):
            hkdf_sha256(secret, salt, info, case["size"])


@pytest.mark.parametrize("case", [each for each in AES_GCM if not each.values[0]["aad"]])
def test_segments(case: dict[str, Any]) -> None:
    """Without associated data, as segments are: sealed to the expected bytes; forged ones are refused."""
    key, nonce, plain, sealed, tag = unhexed(case, "key", "iv", "msg", "ct", "tag")
    cipher = AtNonce(key, nonce)
    if case["result"] == VALID:
        assert sealed + tag == cipher.seal(0, plain, last=True)
        assert plain == cipher.open(0, sealed + tag, last=True)
    else:
        with pytest.raises(SealBroken):
            cipher.open(0, sealed + tag, last=True)


@pytest.mark.parametrize("case", AES_GCM)
def test_the_primitive(case: dict[str, Any]) -> None:
    """The cipher that segments are sealed with, with associated data, too."""
    key, nonce, aad, plain, sealed, tag = unhexed(case, "key", "iv", "aad", "msg", "ct", "tag")
    cipher = AESGCM(key)
    if case["result"] == VALID:
        assert sealed + tag == cipher.encrypt(nonce, plain, aad)
        assert plain == cipher.decrypt(nonce, sealed + tag, aad)
    else:
        with pytest.raises(InvalidTag):
            cipher.decrypt(nonce, sealed + tag, aad)
