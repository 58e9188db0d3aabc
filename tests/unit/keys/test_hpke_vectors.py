"""Wrapped keys crossed with Go's crypto/hpke; see tests/vectors/hpke."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from caregrid.errors import WrongKey
from caregrid.keys import EncryptionKeyPair, unwrap_data_key, wrap_data_key

VECTORS: Final = Path(__file__).resolve().parents[2] / "vectors/hpke"
FILES: Final = ("wrapped_by_go.json", "wrapped_by_caregrid.json")


def vectors(name: str) -> list[Any]:
    """Return a file's vectors, in bytes."""
    return [
        pytest.param({field: bytes.fromhex(value) for field, value in vector.items()}, id=f"{name}-{number}")
        for number, vector in enumerate(json.loads((VECTORS / name).read_text()))
    ]


EVERY: Final = [vector for name in FILES for vector in vectors(name)]


def test_both_files_have_vectors() -> None:
    """Neither is empty or cut."""
    assert [4, 4] == [len(vectors(name)) for name in FILES]


@pytest.mark.parametrize("vector", EVERY)
def test_what_either_wrapped_opens_here(vector: dict[str, bytes]) -> None:
    """Go wrapped to the key pair of a seed: the same seed is the same pair here, and gives the data key."""
    pair = EncryptionKeyPair.from_private_bytes(vector["seed"])
    assert vector["public_key"] == pair.public_key
    opened = unwrap_data_key(pair, vector["wrapped"], vector["record_id"], vector["account"])
    assert vector["data_key"] == opened


@pytest.mark.parametrize("vector", EVERY)
def test_neither_opens_for_another_record_or_account(vector: dict[str, bytes]) -> None:
    """What binds a wrapped key to record and account is the same on both sides."""
    pair = EncryptionKeyPair.from_private_bytes(vector["seed"])
    with pytest.raises(WrongKey):
        unwrap_data_key(pair, vector["wrapped"], bytes(16), vector["account"])
    with pytest.raises(WrongKey):
        unwrap_data_key(pair, vector["wrapped"], vector["record_id"], bytes(32))


@pytest.mark.parametrize("vector", vectors("wrapped_by_go.json"))
def test_wrapping_has_gos_form(vector: dict[str, bytes]) -> None:
    """To a public key that Go gave, a key is wrapped in as many bytes as Go's, and opens with the seed."""
    ids = vector["record_id"], vector["account"]
    wrapped = wrap_data_key(vector["public_key"], vector["data_key"], *ids)
    assert len(vector["wrapped"]) == len(wrapped)
    pair = EncryptionKeyPair.from_private_bytes(vector["seed"])
    assert vector["data_key"] == unwrap_data_key(pair, wrapped, *ids)
