"""A node's JSON-RPC, storage keys, and what the node says of its runtime."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import xxhash

from tests.acceptance.outsider.scale import (
    Cursor,
    Enum,
    Flag,
    Many,
    Notation,
    Number,
    Ref,
    Struct,
    Text,
    Type,
    decode,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: A node answers within milliseconds, a starved one later.
REQUEST_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True)
class Node:
    """A node's JSON-RPC over HTTP."""

    url: str

    def rpc(self, method: str, *params: object) -> Any:
        """Call a method and return its result."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})  # noqa: S310 - ours
        with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as response:  # noqa: S310 - ours
            answer = json.load(response)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]


def twox_64(data: bytes) -> bytes:
    """Return xxHash's 64-bit hash, little-endian."""
    return xxhash.xxh64_digest(data)[::-1]


def twox_128(data: bytes) -> bytes:
    """Return two of them, with seeds 0 and 1."""
    return twox_64(data) + xxhash.xxh64_digest(data, seed=1)[::-1]


def blake2_128(data: bytes) -> bytes:
    """Return BLAKE2b's hash of 16 bytes."""
    return hashlib.blake2b(data, digest_size=16).digest()


@dataclass(frozen=True)
class Hasher:
    """What stands in a storage key before a part of it: nothing, or a hash."""

    number: int  #: in metadata
    length: int
    hash: Callable[[bytes], bytes]


HASHERS: Final[Mapping[str, Hasher]] = {
    "Blake2_128Concat": Hasher(2, 16, blake2_128),
    "Twox64Concat": Hasher(5, 8, twox_64),
    "Identity": Hasher(6, 0, lambda _: b""),
}

#: How metadata of version 14 is encoded.
METADATA: Final = Notation("""
    Field = struct { name: Option<str>, type: compact, typeName: Option<str>, docs: Vec<str> }
    Variant = struct { name: str, fields: Vec<Field>, index: u8, docs: Vec<str> }
    Definition = enum {
        0 Composite(Vec<Field>), 1 Variant(Vec<Variant>), 2 Sequence(compact)
        3 Array { count: u32, type: compact }, 4 Tuple(Vec<compact>), 5 Primitive(u8), 6 Compact(compact)
    }
    Parameter = struct { name: str, type: Option<compact> }
    Described = struct {
        id: compact, path: Vec<str>, params: Vec<Parameter>, definition: Definition, docs: Vec<str>
    }
    Kind = enum { 0 Plain(compact), 1 Map { hashers: Vec<u8>, key: compact, value: compact } }
    Entry = struct { name: str, modifier: u8, kind: Kind, default: Vec<u8>, docs: Vec<str> }
    Storage = struct { prefix: str, entries: Vec<Entry> }
    Constant = struct { name: str, type: compact, value: Vec<u8>, docs: Vec<str> }
    Pallet = struct {
        name: str, storage: Option<Storage>, calls: Option<compact>, event: Option<compact>
        constants: Vec<Constant>, error: Option<compact>, index: u8
    }
    Extension = struct { name: str, type: compact, additional: compact }
    Metadata = struct {
        magic: [u8; 4], version: u8, types: Vec<Described>, pallets: Vec<Pallet>
        extrinsic: compact, extrinsic_version: u8, extensions: Vec<Extension>, runtime: compact
    }
""").definitions()
#: By number: bool, char, str, u8, u16, ...
_PRIMITIVES: Final = (Flag(), Number(4), Text(), *(Number(size) for size in (1, 2, 4, 8, 16)))
_SIGNED: Final = 0x80


class Metadata:
    """What the node says of its runtime."""

    def __init__(self, data: bytes) -> None:
        """Read the bytes that `state_getMetadata` gives."""
        self._said = decode(Ref("Metadata"), data, METADATA)
        assert (b"meta", 14) == (self._said["magic"], self._said["version"])
        self._described = {one["id"]: one for one in self._said["types"]}
        self.names = {str(number): _type(one["definition"]) for number, one in self._described.items()}
        self.pallets = {one["name"]: one for one in self._said["pallets"]}
        self.extensions = [one["name"] for one in self._said["extensions"]]

    def variants(self, pallet: str, kind: str) -> Sequence[Mapping[str, Any]]:
        """Return a pallet's variants of kind `calls`, `event` or `error`."""
        found: Sequence[Mapping[str, Any]] = self._described[self.pallets[pallet][kind]]["definition"][1]
        return found

    def storage(self, pallet: str) -> dict[str, tuple[list[tuple[int, Type]], Type]]:
        """Return a pallet's storage items: the key's parts, each with its hasher, and the value's type."""
        entries = self.pallets[pallet]["storage"]["entries"]
        return {entry["name"]: self._entry(entry["kind"]) for entry in entries}

    def extrinsic(self, data: bytes) -> dict[str, Any]:
        """Decode an extrinsic: its signer, None for what the block's author put in, and the call."""
        kinds = {one["name"]: ref(one["type"]) for one in self._described[self._said["extrinsic"]]["params"]}
        body = Cursor(data)
        body.compact()
        signer = None
        if body.number(1) & _SIGNED:
            signer, _, _ = (kinds[one].read(body, self.names) for one in ("Address", "Signature", "Extra"))
        return {"signer": signer, "call": kinds["Call"].read(body, self.names)}

    def _entry(self, kind: tuple[str, Any]) -> tuple[list[tuple[int, Type]], Type]:
        match kind:
            case ("Map", {"hashers": hashers, "key": key, "value": value}):
                return list(zip(hashers, self._parts(key, len(hashers)), strict=True)), ref(value)
            case (_, value):
                return [], ref(value)

    def _parts(self, key: int, count: int) -> list[Type]:
        whole = self.names[str(key)]
        # The keys of a map with one part may be tuples, too.
        if count == 1 or not isinstance(whole, Struct):
            return [ref(key)]
        return [part for _, part in whole.fields]


def ref(number: int) -> Ref:
    """Return the type with a number in metadata."""
    return Ref(str(number))


def fields(described: Sequence[Mapping[str, Any]]) -> Struct:
    """Return fields as metadata describes them."""
    return Struct(tuple((one["name"] or "", ref(one["type"])) for one in described))


def _type(definition: tuple[str, Any]) -> Type:
    match definition:
        case ("Composite", described):
            return fields(described)
        case ("Variant", variants):
            return Enum(tuple((one["index"], one["name"], fields(one["fields"])) for one in variants))
        case ("Tuple", items):
            return Struct(tuple(("", ref(item)) for item in items))
        case _:
            return _simple_type(*definition)


def _simple_type(kind: str, of: Any) -> Type:
    if kind == "Array":
        return Many(ref(of["type"]), of["count"])
    return {"Sequence": Many(ref(of)), "Compact": Number(0)}.get(kind) or _PRIMITIVES[of]
