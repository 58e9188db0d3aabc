"""The tables, types and recipes of docs/reference/chain.md, and the functions that its recipes use."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.acceptance.outsider.chain import HASHERS, Metadata, Node, twox_128
from tests.acceptance.outsider.scale import Cursor, Names, Notation, Struct, Type, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


_LINES = re.MULTILINE


class Page:
    """A page of Markdown, by headings. No line of its code begins with `#`."""

    def __init__(self, path: Path) -> None:
        """Read it."""
        self._text = path.read_text()

    def section(self, heading: str) -> str:
        """Return what stands between a heading and the next, of whatever level."""
        [found] = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", self._text, _LINES | re.DOTALL)
        return str(found)

    def headings(self, language: str) -> list[str]:
        """Return the headings that have fenced blocks in a language."""
        every = re.findall(r"^#+ (.*)$", self._text, _LINES)
        return [heading for heading in every if self.blocks(heading, language)]

    def blocks(self, heading: str, language: str) -> list[str]:
        """Return the fenced blocks in a language below a heading."""
        return re.findall(rf"^```{language}\n(.*?)^```$", self.section(heading), _LINES | re.DOTALL)

    def table(self, heading: str) -> list[dict[str, str]]:
        """Return the rows of the only table below a heading, without code marks."""
        lines = re.findall(r"^\|(.*)\|$", self.section(heading), _LINES)
        cells = [[cell.strip().replace("`", "") for cell in line.split("|")] for line in lines]
        return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


@dataclass(frozen=True)
class Item:
    """A storage item: its name, the parts of its key with their hashers, and its value."""

    pallet: str
    name: str
    parts: Sequence[tuple[str, Type]]
    value: Type

    def key(self, parts: Sequence[Any], names: Names) -> bytes:
        """Return the key of an entry, or what the keys of several begin with."""
        given = zip(self.parts, parts, strict=False)
        encoded = [(HASHERS[hasher], kind.write(part, names)) for (hasher, kind), part in given]
        hashed = [hasher.hash(part) + part for hasher, part in encoded]
        return b"".join([twox_128(self.pallet.encode()), twox_128(self.name.encode()), *hashed])

    def parts_of(self, key: bytes, names: Names) -> list[Any]:
        """Return the parts of a key."""
        rest, found = Cursor(key[32:]), []
        for hasher, kind in self.parts:
            rest.take(HASHERS[hasher].length)
            found.append(kind.read(rest, names))
        return found


def items(rows: Sequence[dict[str, str]]) -> dict[str, Item]:
    """Return the storage items of a table."""
    return {row["item"]: _item(row) for row in rows}


def _item(row: dict[str, str]) -> Item:
    pallet, name = row["item"].split(".")
    hashers = "|".join(HASHERS)
    parts = re.findall(rf"({hashers}) (.*?)(?=, (?:{hashers}) |$)", row["key"])
    return Item(
        pallet=pallet,
        name=name,
        parts=[(hasher, Notation(kind).type()) for hasher, kind in parts],
        value=Notation(row["value"]).type(),
    )


@dataclass(frozen=True)
class Auditor:
    """The functions of the page's recipes. Each is described there."""

    node: Node
    names: Names
    items: dict[str, Item]
    calls: dict[str, tuple[Struct, Type]]
    metadata: Metadata

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        mine = (self.key, self.scale, self.decode, self.read, self.entries, self.call)
        return {one.__name__: one for one in (self.node.rpc, *mine, self.events, self.extrinsic)}

    def key(self, item: str, *parts: Any) -> str:
        """Return a storage key, or with fewer parts what keys begin with."""
        return _hex(self.items[item].key(parts, self.names))

    def scale(self, kind: str, value: Any) -> str:
        """Encode a value."""
        return _hex(Notation(kind).type().write(value, self.names))

    def decode(self, kind: str, data: str) -> Any:
        """Decode a value."""
        return decode(Notation(kind).type(), _bytes(data), self.names)

    def read(self, item: str, *parts: Any, at: str) -> Any:
        """Return the value of an entry, None where there is none."""
        found = self.node.rpc("state_getStorage", self.key(item, *parts), at)
        return None if found is None else decode(self.items[item].value, _bytes(found), self.names)

    def entries(self, item: str, *parts: Any, at: str) -> list[tuple[list[Any], Any]]:
        """Return all entries whose keys begin with some parts: the other parts, and the value."""
        one, keys = self.items[item], list(self._keys(self.key(item, *parts), at))
        others = [one.parts_of(_bytes(key), self.names)[len(parts) :] for key in keys]
        values = [self.node.rpc("state_getStorage", key, at) for key in keys]
        return [
            (other, decode(one.value, _bytes(value), self.names))
            for other, value in zip(others, values, strict=True)
        ]

    def call(self, method: str, *arguments: Any, at: str) -> Any:
        """Ask the runtime API."""
        taken, given = self.calls[method]
        encoded = taken.write(dict(enumerate(arguments)), self.names)
        answer = self.node.rpc("state_call", method, _hex(encoded), at)
        return decode(given, _bytes(answer), self.names)

    def events(self, at: str) -> list[tuple[int | None, str, dict[str, Any]]]:
        """Return a block's events: number of the extrinsic, name and fields."""
        key = _hex(twox_128(b"System") + twox_128(b"Events"))
        found = self.node.rpc("state_getStorage", key, at)
        if found is None:  # the first block has none
            return []
        kind = self.metadata.storage("System")["Events"][1]
        return [_event(one) for one in decode(kind, _bytes(found), self.metadata.names)]

    def extrinsic(self, at: str, number: int) -> dict[str, Any]:
        """Return the signer and the call of a block's extrinsic."""
        block = self.node.rpc("chain_getBlock", at)["block"]
        return self.metadata.extrinsic(_bytes(block["extrinsics"][number]))

    def _keys(self, prefix: str, at: str) -> Iterator[str]:
        last = None
        while page := self.node.rpc("state_getKeysPaged", prefix, 1000, last, at):
            yield from page
            last = page[-1]


def auditor(page: Page, node: Node) -> Auditor:
    """Return the functions of a page for a node."""
    calls = {
        row["call"]: (Notation(row["arguments"]).fields(), Notation(row["answer"]).type())
        for row in page.table("Runtime API")
    }
    tables = itertools.chain(page.table("Storage items"), page.table("Storage of other pallets"))
    return Auditor(
        node=node,
        names=Notation("".join(page.blocks("Types", "scale"))).definitions(),
        items=items(list(tables)),
        calls=calls,
        metadata=Metadata(_bytes(node.rpc("state_getMetadata"))),
    )


def _event(record: dict[str, Any]) -> tuple[int | None, str, dict[str, Any]]:
    phase, (pallet, event) = record["phase"], record["event"]
    name, fields = (event, {}) if isinstance(event, str) else event
    return (None if isinstance(phase, str) else phase[1]), f"{pallet}.{name}", fields


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
