"""What gateways tell, as values; what cannot be one breaks the protocol."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import ProtocolViolation
from caregrid.records import OBJECT_ID_LEN
from caregrid.storage._sources import MAX_OBJECT_SIZE
from caregrid.storage.file_id import DATA_SHARDS, MAX_SEGMENTS, PARITY_SHARDS
from caregrid.storage.port import Fragment, NodeState, Placement, Repair, SegmentFragments, StoredEntry
from caregrid.storage.territory import Territory, TerritoryState

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGEST_LEN: Final = 32
_MAX_NAME: Final = 100
_MAX_NODES: Final = 10_000
_TOTAL: Final = DATA_SHARDS + PARITY_SHARDS


def file_id(data: Any) -> bytes:
    """Read the answer to an upload."""
    with _usable("file id"):
        return _digest(data["fid"])


def size(data: Any) -> int:
    """Read an object's true size out of its metadata."""
    with _usable("size of the object"):
        return _number(data["size"], range(1, MAX_OBJECT_SIZE + 1))


def placement(data: Any) -> Placement | None:
    """Read how an object is spread; None where it is not told."""
    with _usable("placement of the object"):
        told = data.get("placement")
        names = ("needed", "total", "living", "nodes")
        return None if told is None else Placement(**{name: _number(told[name]) for name in names})


def repair(data: Any) -> Repair:
    """Read what a repair came to."""
    with _usable("outcome of a repair"):
        now = placement(data)
        if now is None:
            raise ValueError("no placement")
        return Repair(rebuilt=_number(data["rebuilt"]), placement=now)


def fragments(data: Any) -> tuple[SegmentFragments, ...] | None:
    """Read the fragments of every segment; None where they are not told."""
    with _usable("fragments of the object"):
        told = data.get("placement")
        segments = None if told is None else told.get("segments")
        if segments is None:
            return None
        if not 1 <= len(segments) <= MAX_SEGMENTS:
            raise ValueError("no object has so many segments")
        return tuple(_segment(each) for each in segments)


def entries(data: Any) -> list[StoredEntry]:
    """Read a list of stored objects, in whatever order it comes; stock DeOSS sends null for none."""
    with _usable("list of objects"):
        return [_entry(each) for each in (() if data is None else _list(data))]


def nodes(data: Any) -> tuple[NodeState, ...]:
    """Read the storage nodes."""
    with _usable("list of storage nodes"):
        if len(_list(data)) > _MAX_NODES:
            raise ValueError("no network has so many nodes")
        return tuple(sorted((_node(each) for each in data), key=lambda each: each.node))


def territory(data: Any) -> Territory:
    """Read a territory."""
    with _usable("territory"):
        space = {name: _number(data[name]) for name in ("total", "used", "remaining")}
        ends = data["deadline"]
        return Territory(
            name=_name(data["name"]),
            state=TerritoryState(data["state"]),
            deadline=None if ends is None else datetime.fromtimestamp(_number(ends), UTC),
            unlimited=_flag(data.get("unlimited", False)),
            **space,
        )


@contextmanager
def _usable(what: str) -> Iterator[None]:
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as exc:
        raise ProtocolViolation(f"the storage gateway gave no usable {what}") from exc


def _segment(told: Any) -> SegmentFragments:
    found = tuple(_fragment(each) for each in told["fragments"])
    if [each.index for each in found] != [*range(_TOTAL)]:
        raise ValueError("a segment has its fragments in order")
    return SegmentFragments(digest=_digest(told["digest"]), fragments=found)


def _fragment(told: Any) -> Fragment:
    return Fragment(
        index=_number(told["index"]),
        digest=_digest(told["digest"]),
        node=_name(told["node"]),
        living=_flag(told["living"]),
    )


def _entry(told: Any) -> StoredEntry:
    true_size = told.get("bytes")
    return StoredEntry(
        object_id=_digest(told["fid"], OBJECT_ID_LEN),
        size=None if true_size is None else _number(true_size),
        space=_number(told["size"]),
    )


def _node(told: Any) -> NodeState:
    names = ("bytes_free", "bytes_used", "bytes_limit", "fragments", "corrupt")
    numbers: dict[str, Any] = {
        name: None if told.get(name) is None else _number(told[name]) for name in names
    }
    return NodeState(
        node=_name(told["node"]),
        living=_flag(told["living"]),
        draining=_flag(told.get("draining", False)),
        **numbers,
    )


def _list(told: Any) -> list[Any]:
    if not isinstance(told, list):
        raise TypeError("not a list")
    return told


def _number(told: Any, within: range = range(1 << 63)) -> int:
    if type(told) is not int or told not in within:
        raise ValueError("not a number that this can be")
    return told


def _flag(told: Any) -> bool:
    if not isinstance(told, bool):
        raise TypeError("neither true nor false")
    return told


def _name(told: Any) -> str:
    if not isinstance(told, str) or not 0 < len(told) <= _MAX_NAME or not told.isprintable():
        raise ValueError("not a name")
    return told


def _digest(told: Any, length: int = _DIGEST_LEN) -> bytes:
    digest = bytes.fromhex(told)
    if len(digest) != length:
        raise ValueError("not a digest")
    return digest
