"""Looking many records up: the keys that are not made by the library."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest

from caregrid.chain.lookup import query_records
from caregrid.errors import ProtocolViolation

PREFIX = bytes(range(32))
IDS = [bytes([number]) * 16 for number in range(3)]


def key_of(record_id: bytes) -> bytes:
    """Return a key as a Blake2_128Concat map has it."""
    return PREFIX + hashlib.blake2b(record_id, digest_size=16).digest() + record_id


class Node:
    """Answers as a node whose runtime keeps records under the given keys."""

    def __init__(self, sample: bytes, held: dict[bytes, str | None]) -> None:
        self._sample, self._held = sample, held

    def get_chain_finalised_head(self) -> str:
        """Name a block."""
        return "0xaa"

    def init_runtime(self, head: str) -> None:
        """Take any block."""

    def create_storage_key(self, *_: Any) -> Any:
        """Make the first key, as the library does."""
        return SimpleNamespace(
            data=self._sample,
            to_hex=lambda: "0x" + self._sample.hex(),
            decode_scale_value=lambda data: SimpleNamespace(value=data.data.hex()),
        )

    def rpc_request(self, method: str, params: list[Any]) -> Any:
        """Answer in two sets, with a key that nobody asked for."""
        assert ("state_queryStorageAt", "0xaa") == (method, params[1])
        found = [
            ["0x" + key.hex(), entry] for key, entry in self._held.items() if "0x" + key.hex() in params[0]
        ]
        return {"result": [{"changes": found[:1]}, {"changes": [*found[1:], ["0x00", "0x01"]]}]}


def test_all_follow_from_one() -> None:
    """Every id is found under its own key; those without a record are left out."""
    node = Node(key_of(IDS[0]), {key_of(IDS[0]): "0x07", key_of(IDS[1]): None, key_of(IDS[2]): "0x09"})
    assert {IDS[0]: "07", IDS[2]: "09"} == query_records(node, IDS)


def test_another_hasher_is_refused() -> None:
    """Keys that would find nothing must not pass for records that are not there."""
    node = Node(PREFIX + IDS[0], {})
    with pytest.raises(ProtocolViolation, match="update CareGrid"):
        query_records(node, IDS)
