"""The manifest of an object."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caregrid.errors import InputEmpty, InputInvalid
from caregrid.proofs import LEAF_LEN, inclusion_proof, leaf_bytes, manifest_root, verify_inclusion
from caregrid.records import RecordEntry, RecordFormat


def entry(number: int) -> RecordEntry:
    """Give a record unlike any other."""
    return RecordEntry(
        record_id=number.to_bytes(16, "big"),
        patient_id=bytes([7] * 32),
        offset=1_000 * number,
        length=1_000,
        digest=sha256(number.to_bytes(8, "big")).digest(),
        format=RecordFormat.FHIR_R5_JSON,
    )


SIXTEEN: Final = [entry(number) for number in range(16)]
sizes = st.integers(1, 16)


def test_the_leaf_layout_is_fixed() -> None:
    """97 bytes, literally: what the chain's side and other languages must produce too."""
    sample = RecordEntry(
        record_id=bytes(range(16)),
        patient_id=bytes(range(32)),
        offset=0x0102030405060708,
        length=0x1112131415161718,
        digest=bytes(range(64, 96)),
        format=RecordFormat.DICOM,
    )
    expected = (
        "000102030405060708090a0b0c0d0e0f"
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        "0807060504030201"
        "1817161514131211"
        "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
        "03"
    )
    assert expected == leaf_bytes(sample).hex()
    assert len(leaf_bytes(sample)) == LEAF_LEN == 97


def test_roots_of_small_objects_written_out() -> None:
    """One record: its leaf's hash; three: the pair's node, then the odd one."""
    first, second, third = (sha256(b"\x00" + leaf_bytes(record)).digest() for record in SIXTEEN[:3])
    assert first == manifest_root(SIXTEEN[:1])
    pair = sha256(b"\x01" + first + second).digest()
    assert sha256(b"\x01" + pair + third).digest() == manifest_root(SIXTEEN[:3])


def test_a_root_pinned_for_other_languages() -> None:
    """The literal root over five sample records; it never changes within format v1."""
    assert (
        manifest_root(SIXTEEN[:5]).hex() == "cd4a05d241cbde89f077eea439d8d4120a13ab9f9a4928d7b1f5e550645c4f85"
    )


@given(count=sizes, data=st.data())
def test_every_record_can_be_proved(count: int, data: st.DataObject) -> None:
    """Each record of each object verifies at its own index."""
    index = data.draw(st.integers(0, count - 1))
    entries = SIXTEEN[:count]
    proof = inclusion_proof(entries, index)
    assert verify_inclusion(entries[index], index, count, proof, manifest_root(entries))


@given(count=sizes, data=st.data())
def test_no_other_record_can_be_proved(count: int, data: st.DataObject) -> None:
    """A proof does not carry another record, nor its own at another index."""
    index, other = (data.draw(st.integers(0, 15)) for _ in range(2))
    entries = SIXTEEN[:count]
    if index >= count or other == index:
        return
    proof, root = inclusion_proof(entries, index), manifest_root(entries)
    assert not verify_inclusion(SIXTEEN[other], index, count, proof, root)
    assert not verify_inclusion(entries[index], other, count, proof, root)


@pytest.mark.parametrize(
    "change",
    [
        {"record_id": bytes(16)},
        {"patient_id": bytes(32)},
        {"offset": 2_999},
        {"length": 999},
        {"digest": bytes(32)},
        {"format": RecordFormat.BINARY},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_is_bound(change: dict[str, Any]) -> None:
    """A record that differs in one field only is not in the object, and changes its root."""
    proof, root = inclusion_proof(SIXTEEN, 3), manifest_root(SIXTEEN)
    forged = replace(SIXTEEN[3], **change)
    assert not verify_inclusion(forged, 3, 16, proof, root)
    assert root != manifest_root([*SIXTEEN[:3], forged, *SIXTEEN[4:]])


def test_the_order_of_records_is_bound() -> None:
    """Records listed in another order are another object."""
    assert manifest_root(SIXTEEN) != manifest_root(SIXTEEN[::-1])


@given(position=st.integers(0, 3 * 32 - 1))
def test_a_flipped_proof_byte_is_refused(position: int) -> None:
    """No byte of a proof can change."""
    proof = inclusion_proof(SIXTEEN[:6], 2)
    forged = bytearray(b"".join(proof))
    forged[position] ^= 1
    cut = [bytes(forged[at : at + 32]) for at in range(0, len(forged), 32)]
    assert not verify_inclusion(SIXTEEN[2], 2, 6, cut, manifest_root(SIXTEEN[:6]))


@pytest.mark.parametrize(
    ("index", "count"), [(-1, 16), (16, 16), (0, 0), (3, 0), (3, -5), (3, 1 << 64), (3, 4)]
)
def test_impossible_positions_are_a_plain_no(index: int, count: int) -> None:
    """Numbers from outside cannot make verification raise."""
    proof, root = inclusion_proof(SIXTEEN, 3), manifest_root(SIXTEEN)
    assert not verify_inclusion(SIXTEEN[3], index, count, proof, root)


def test_siblings_that_are_no_hashes_are_a_plain_no() -> None:
    """Bytes may not shift from one sibling to the next."""
    root, proof = manifest_root(SIXTEEN), inclusion_proof(SIXTEEN, 3)
    shifted = [proof[0] + proof[1][:1], proof[1][1:], *proof[2:]]
    assert not verify_inclusion(SIXTEEN[3], 3, 16, shifted, root)


def test_there_is_no_manifest_of_nothing() -> None:
    """No record, no manifest; no such record, no proof."""
    with pytest.raises(InputEmpty):
        manifest_root([])
    with pytest.raises(InputEmpty):
        inclusion_proof([], 0)
    for index in (-1, 16):
        with pytest.raises(InputInvalid, match="0 to 15"):
            inclusion_proof(SIXTEEN, index)
