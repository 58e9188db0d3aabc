"""Decodes a block's events, straight into the port's values.

A block may hold thousands of them, and the library makes an object of each number in each: 50 times slower.
So this is built once from a runtime's metadata. Bytes stay bytes, accounts are 32 bytes, names are text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from caregrid.chain import decoding
from caregrid.chain.port import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

#: An event, and the index of the extrinsic that it belongs to, if to any.
Reported: TypeAlias = tuple[int | None, Event]
_Known: TypeAlias = tuple[str, str, decoding.StructReader]


class EventDecoder:
    """For one runtime."""

    def __init__(self, readers: decoding.Readers, events: int) -> None:
        """Prepare.

        Args:
            readers: of the runtime's types.
            events: the number of the type that all events are variants of, pallet by pallet.
        """
        self._readers = readers
        self._pallets = readers.variants(events)
        self._known: dict[tuple[int, int], _Known] = {}
        self._phase = readers.named("frame_system::Phase")

    @classmethod
    def of(cls, metadata: Any) -> EventDecoder:
        """Return the decoder for what the library has read as metadata."""
        types: list[Mapping[str, Any]] = metadata.portable_registry["types"].value
        readers = decoding.Readers({entry["id"]: entry["type"] for entry in types})
        record = readers.fields(readers.number("frame_system::EventRecord"))
        return cls(readers, record["event"])

    def decode(self, data: bytes) -> list[Reported]:
        """Return what `System.Events` holds, in order.

        Raises:
            ProtocolViolation: the bytes are not events of this runtime.
        """
        with decoding.refusing_nonsense():
            count, at = decoding.compact(data, 0)
            reported = []
            for _ in range(count):
                one, at = self._record(data, at)
                reported.append(one)
            decoding.require_end(data, at)
            return reported

    def _record(self, data: bytes, at: int) -> tuple[Reported, int]:
        phase, at = self._phase(data, at)
        key = (data[at], data[at + 1])
        pallet, name, read = self._known.get(key) or self._learn(key)
        fields, at = read(data, at + 2)
        topics, at = decoding.compact(data, at)
        extrinsic = phase["ApplyExtrinsic"] if isinstance(phase, dict) else None
        return (extrinsic, Event(pallet=pallet, name=name, fields=fields)), at + 32 * topics

    def _learn(self, key: tuple[int, int]) -> _Known:
        pallet = self._pallets[key[0]]
        event = self._readers.variants(pallet["fields"][0]["type"])[key[1]]
        known = (pallet["name"], event["name"], self._readers.named_fields(event["fields"]))
        self._known[key] = known
        return known
