"""The object store that one DeOSS gateway is."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import InputInvalid, ObjectUnknown
from caregrid.storage import _checks, _downloads, _sources
from caregrid.storage.deoss import answers, deadlines
from caregrid.storage.deoss.envelope import RouteMissing
from caregrid.storage.deoss.identity import Identity
from caregrid.storage.deoss.listing import Listing
from caregrid.storage.deoss.reads import Reads
from caregrid.storage.deoss.transport import Transport
from caregrid.storage.deoss.uploads import Upload
from caregrid.storage.file_id import SEGMENT_SIZE
from caregrid.storage.port import NodeState, ObjectStat, ObjectStore, Repair, SegmentFragments
from caregrid.storage.progress import ProgressMeter
from caregrid.storage.transfers import TransferPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from caregrid.storage.port import Source, StoredEntry
    from caregrid.storage.progress import Progress
    from caregrid.storage.territory import Territory

#: A thousand segments with twelve fragments each, described at length.
_MAX_FRAGMENTS_SIZE: Final = 8 * 1024 * 1024


class DeossStore(ObjectStore):
    """One gateway, used in the name of one account.

    `sign` returns the account's 64-byte sr25519 signature of a message. Constructing does no I/O.

    Raises:
        ConfigInvalid: the URL or the account is not usable.
    """

    def __init__(
        self,
        url: str,
        account: bytes,
        sign: Callable[[bytes], bytes],
        territory: str = "caregrid",
        *,
        now: Callable[[], float] = time.time,
        policy: TransferPolicy | None = None,
    ) -> None:
        self._gateway = Transport(url)
        self._identity = Identity(account, sign, territory, now)
        self._policy = policy or TransferPolicy()
        self._reads = Reads(self._gateway)

    @property
    def url(self) -> str:
        """The gateway's."""
        return str(self._gateway.url)

    async def put(self, source: Source, *, progress: Progress | None = None) -> bytes:
        """Upload content, in chunks that can be resumed when it is large; see `ObjectStore.put`."""
        async with _sources.opened(source) as file, ProgressMeter(progress, file.size) as meter:
            return await Upload(self._gateway, self._identity, self._policy, file, meter).run()

    async def read_range(self, object_id: bytes, offset: int, length: int) -> bytes:
        """Return bytes of an object; see `ObjectStore.read_range`."""
        return b"".join([chunk async for chunk in self.stream_range(object_id, offset, length)])

    async def stream_range(self, object_id: bytes, offset: int, length: int) -> AsyncGenerator[bytes]:
        """Yield bytes of an object; see `ObjectStore.stream_range`."""
        _checks.require_range(object_id, offset, length)
        if length == 0:
            return
        async with aclosing(self._reads.part(object_id, offset, length)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def download(
        self, object_id: bytes, target: Path, *, progress: Progress | None = None, resume: bool = False
    ) -> int:
        """Write a whole object to a file and check its id; see `ObjectStore.download`.

        A file id does not cover trailing zero bytes within the last segment: the size is the gateway's word,
        and the digest of the sealed bytes is what settles it.
        """
        _checks.require_object_id(object_id)
        size = answers.size(await self._metadata(object_id))

        def fetch(offset: int) -> AsyncGenerator[bytes]:
            if offset == 0:
                return self._reads.whole(object_id, size)
            return self._reads.part(object_id, offset, size - offset)

        return await _downloads.download(
            fetch, object_id, size, target, policy=self._policy, progress=progress, resume=resume
        )

    async def fragment(self, object_id: bytes, digest: bytes) -> bytes:
        """Return one fragment of an object by its SHA-256, which is checked.

        Raises:
            ObjectUnknown: the network holds no such object, or it has no such fragment.
            DigestMismatch: what came is not this fragment.
        """
        _checks.require_object_id(object_id)
        return await self._reads.fragment(object_id, digest, self._identity.headers())

    async def stat(self, object_id: bytes) -> ObjectStat | None:
        """Ask for the metadata of an object; see `ObjectStore.stat`."""
        _checks.require_object_id(object_id)
        try:
            # Stock DeOSS does not know the header, and tells no placement.
            data = await self._metadata(object_id, "counts", deadline_s=deadlines.PLACEMENT_TIMEOUT_S)
        except ObjectUnknown:
            return None
        return ObjectStat(object_id=object_id, size=answers.size(data), placement=answers.placement(data))

    async def fragments(
        self, object_id: bytes, *, checked: bool = False
    ) -> tuple[SegmentFragments, ...] | None:
        """Ask for every fragment; see `ObjectStore.fragments`."""
        _checks.require_object_id(object_id)
        if not checked:
            options: dict[str, Any] = {"deadline_s": deadlines.PLACEMENT_TIMEOUT_S}
            return answers.fragments(await self._metadata(object_id, "fragments", **options))
        size = answers.size(await self._metadata(object_id))
        # All fragments are read: three times the padded size.
        transfer = 3 * (size + SEGMENT_SIZE)
        options = {"deadline_s": deadlines.CHECK_TIMEOUT_S, "transfer": transfer, "uploads": True}
        return answers.fragments(await self._metadata(object_id, "checked", **options))

    async def repair(self, object_id: bytes) -> Repair | None:
        """Ask for a repair, which stock DeOSS does not offer; see `ObjectStore.repair`."""
        _checks.require_object_id(object_id)
        # Every segment may have to be read and coded.
        options: dict[str, Any] = {"transfer": _sources.MAX_OBJECT_SIZE, "uploads": True}
        try:
            data = await self._signed(
                "POST", f"file/repair/{object_id.hex()}", deadline_s=deadlines.REPAIR_TIMEOUT_S, **options
            )
        except RouteMissing:
            return None
        return answers.repair(data)

    async def delete(self, object_id: bytes) -> bool:
        """Have an object deleted; see `ObjectStore.delete`."""
        _checks.require_object_id(object_id)
        path = f"file/{object_id.hex()}"
        try:
            await self._signed("DELETE", path, deadline_s=deadlines.DELETE_TIMEOUT_S, uploads=True)
        except ObjectUnknown:
            return False
        except InputInvalid:
            # Stock DeOSS gives one answer to everything that the chain refuses.
            if await self._is_there(object_id):
                raise
            return False
        return True

    async def list(self, after: bytes | None = None) -> AsyncGenerator[StoredEntry]:
        """Yield what the account stored in the territory; see `ObjectStore.list`."""
        if after is not None:
            _checks.require_object_id(after)
        async with aclosing(Listing(self._gateway, self._identity).entries(after)) as entries:
            async for entry in entries:
                yield entry

    async def nodes(self) -> tuple[NodeState, ...] | None:
        """Ask for the storage nodes; see `ObjectStore.nodes`."""
        try:
            return answers.nodes(await self._signed("GET", "nodes", deadline_s=deadlines.NODES_TIMEOUT_S))
        except RouteMissing:
            return None

    async def territory(self) -> Territory | None:
        """Ask for the territory; see `ObjectStore.territory`."""
        path = f"territory/{self._identity.territory}"
        try:
            data = await self._signed("GET", path, deadline_s=deadlines.TERRITORY_TIMEOUT_S)
        except RouteMissing:
            return None
        return answers.territory(data)

    async def close(self) -> None:
        """Close the connections; the store opens new ones when it is used again."""
        await self._gateway.close()

    async def _metadata(
        self,
        object_id: bytes,
        placement: str | None = None,
        *,
        deadline_s: float = deadlines.METADATA_TIMEOUT_S,
        **options: Any,
    ) -> Any:
        headers = {} if placement is None else {"Placement": placement}
        path = f"file/metadata/{object_id.hex()}"
        return await self._gateway.ask(
            "GET", path, headers=headers, limit=_MAX_FRAGMENTS_SIZE, deadline_s=deadline_s, **options
        )

    async def _is_there(self, object_id: bytes) -> bool:
        try:
            await self._metadata(object_id)
        except ObjectUnknown:
            return False
        return True

    async def _signed(self, method: str, path: str, **options: Any) -> Any:
        return await self._gateway.ask(method, path, headers=self._identity.headers(), **options)
