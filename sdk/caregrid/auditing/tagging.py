"""Tags for an object's fragments, made by its owner: the key that makes them never leaves him.

An object is tagged when it is stored, or later, from its content. The same key makes the same tags of the
same content, so an object is tagged again where a node has none, as after a repair, and what was committed to
stays right.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from caregrid.errors import FileIdMismatch, FragmentLost, ProofOverdue, StorageUnreachable
from caregrid.proofs import podr2
from caregrid.proofs.proving_store import FragmentPlace
from caregrid.proofs.tag_list import NO_KEY, TaggedFragment, TagList
from caregrid.storage import reed_solomon
from caregrid.storage.file_id import SEGMENT_SIZE, file_id_of_segments

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import BinaryIO

    from caregrid.proofs.podr2 import PublicKey, SecretKey
    from caregrid.proofs.proving_store import ProvingStore
    from caregrid.storage import ObjectStore
    from caregrid.storage.reed_solomon import Fragment

#: Fragments tagged at once: while one is on its way, the next one is computed.
PARALLEL: Final = 2

_PASSING: Final = (StorageUnreachable, FragmentLost, ProofOverdue)
_ZEROS: Final = bytes(podr2.FRAGMENT_LEN)
_ZERO_DIGEST: Final = sha256(_ZEROS).digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Tagged:
    """What tagging an object came to."""

    tags: TagList
    untaken: tuple[FragmentPlace, ...]  #: whose nodes could not take theirs; tag the object again later


async def tag_object(
    object_id: bytes, content: Path, proving: ProvingStore, key: SecretKey, *, threads: int = 1
) -> Tagged:
    """Make the tags of an object's fragments and have the nodes keep them; what they have they are not sent.

    Args:
        object_id: under which the content is stored.
        content: the object's bytes.
        proving: the nodes.
        key: the owner's.
        threads: used for one fragment.

    Raises:
        FileIdMismatch: the content is another object's.
        InputEmpty: it is empty.
        ObjectUnknown: the network holds no such object.
        InputInvalid: a node holds other fragments than the content has.
    """
    tagger = _Tagger(object_id, proving, key, threads)
    segments = list[bytes]()
    async for segment, fragments in _segments(content):
        await tagger.tag(len(segments), fragments)
        segments.append(segment)
    if file_id_of_segments(segments) != object_id:
        raise FileIdMismatch("the content is not the object that is to be tagged")
    return tagger.tagged()


async def tag_stored(
    object_id: bytes,
    store: ObjectStore,
    proving: ProvingStore,
    key: SecretKey,
    *,
    threads: int = 1,
    folder: Path | None = None,
) -> Tagged:
    """Tag an object that is stored already; its content is read, checked against its id, and dropped again.

    Args:
        object_id: which object.
        store: where it is read from.
        proving: the nodes.
        key: the owner's.
        threads: used for one fragment.
        folder: takes the content meanwhile; by default the system's for temporary files.

    Raises:
        CaregridError: as `tag_object` and `ObjectStore.download`.
    """
    holding = await asyncio.to_thread(TemporaryDirectory, dir=folder)
    try:
        content = Path(holding.name) / "object"
        await store.download(object_id, content)
        return await tag_object(object_id, content, proving, key, threads=threads)
    finally:
        await asyncio.to_thread(holding.cleanup)


class _Tagger:
    def __init__(self, object_id: bytes, proving: ProvingStore, key: SecretKey, threads: int) -> None:
        self._object_id, self._proving, self._key, self._threads = object_id, proving, key, threads
        self._public: PublicKey | None = key.public_key() if key.scheme is podr2.Scheme.PUBLIC else None
        self._places = asyncio.Semaphore(PARALLEL)
        self._entries = list[TaggedFragment]()
        self._untaken = list[FragmentPlace]()
        self._zero_tags: bytes | None = None

    async def tag(self, segment: int, fragments: list[Fragment]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._one(self._place(segment, index), fragment))
                    for index, fragment in enumerate(fragments)
                ]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        self._entries += [task.result() for task in tasks]

    def tagged(self) -> Tagged:
        tags = TagList(
            object_id=self._object_id,
            key_digest=NO_KEY if self._public is None else self._public.digest,
            fragments=tuple(self._entries),
        )
        return Tagged(tags=tags, untaken=tuple(sorted(self._untaken)))

    async def _one(self, place: FragmentPlace, fragment: Fragment) -> TaggedFragment:
        async with self._places:
            tags = await self._tags(fragment)
            name = sha256(tags).digest()
            try:
                if name not in await self._proving.held_tags(place):
                    await self._proving.put_tags(place, tags, self._public)
            except _PASSING:
                self._untaken.append(place)
        return TaggedFragment(digest=fragment.digest, tags=name)

    async def _tags(self, fragment: Fragment) -> bytes:
        # Of a small object a quarter of the fragments are zeros.
        if fragment.digest != _ZERO_DIGEST:
            return await self._made(bytes(fragment.content), fragment.digest)
        if self._zero_tags is None:
            self._zero_tags = await self._made(_ZEROS, _ZERO_DIGEST)
        return self._zero_tags

    async def _made(self, content: bytes, digest: bytes) -> bytes:
        return await asyncio.to_thread(podr2.tag, self._key, content, digest=digest, threads=self._threads)

    def _place(self, segment: int, index: int) -> FragmentPlace:
        return FragmentPlace(object_id=self._object_id, segment=segment, index=index)


async def _segments(content: Path) -> AsyncIterator[tuple[bytes, list[Fragment]]]:
    buffer = reed_solomon.SegmentBuffer()
    file = await asyncio.to_thread(content.open, "rb")
    try:
        left = (await asyncio.to_thread(content.stat)).st_size
        begun = False
        while left > 0 or not begun:
            segment = await asyncio.to_thread(buffer.take, lambda room: _fill(file, room))
            begun, left = True, left - SEGMENT_SIZE
            yield segment
    finally:
        await asyncio.to_thread(file.close)


def _fill(file: BinaryIO, room: memoryview) -> int:
    filled = 0
    while filled < len(room) and (piece := file.readinto(room[filled:])):  # type: ignore[attr-defined]
        filled += piece
    return filled
