"""Uploads to one gateway: small objects at once, larger ones in chunks that need not be sent twice."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import (
    CaregridError,
    FileIdMismatch,
    ObjectUnknown,
    ProtocolViolation,
    RateLimited,
    StorageUnreachable,
)
from caregrid.storage._patience import Patience
from caregrid.storage.deoss import answers, deadlines, transport
from caregrid.storage.deoss.bodies import Body
from caregrid.storage.deoss.envelope import RouteMissing

if TYPE_CHECKING:
    from caregrid.storage._sources import SourceFile
    from caregrid.storage.deoss.identity import Identity
    from caregrid.storage.deoss.transport import Transport
    from caregrid.storage.progress import ProgressMeter
    from caregrid.storage.transfers import TransferPolicy

# Names are public on the chain, at most 63 bytes, and say nothing. This one is found again after a crash.
_NAME_LEN: Final = 32
_NAME_DOMAIN: Final = b"caregrid upload 1"


class Upload:
    """One file on its way to one gateway.

    Our gateway says how much of an upload it holds, so after a cut, or in a later process, this goes on from
    there: the upload's name comes from the file id. A stock gateway cannot be asked, and appends whatever
    comes, a chunk that it has already as well. So as soon as it is not clear whether it holds a chunk, the
    upload starts anew there, under a random name that nothing was sent to before. Whatever happened on the
    way, the gateway's file id must be ours in the end.
    """

    def __init__(
        self,
        gateway: Transport,
        identity: Identity,
        policy: TransferPolicy,
        file: SourceFile,
        meter: ProgressMeter,
    ) -> None:
        self._gateway, self._identity, self._policy = gateway, identity, policy
        self._file, self._meter = file, meter
        self._asked_again = False

    async def run(self) -> bytes:
        """Send the file and return its file id; see `ObjectStore.put`."""
        object_id = await self._file.object_id()
        if self._file.size <= self._policy.chunk_size:
            answer = await self._at_once()
        else:
            answer = await self._in_chunks(object_id)
        if answer != object_id:
            raise FileIdMismatch("the storage gateway computed another file id than we did")
        return object_id

    async def _at_once(self) -> bytes:
        patience = Patience(self._policy)
        while True:
            try:
                return await self._send_whole()
            except (RateLimited, StorageUnreachable) as exc:
                await patience.wait_after(exc)

    async def _send_whole(self) -> bytes:
        body = Body(self._file, 0, self._file.size, self._meter)
        path = f"object/{_random_name()}"
        with body.failures():
            data = await self._gateway.ask("PUT", path, **self._options(body, deadlines.UPLOAD_TIMEOUT_S))
        return answers.file_id(data)

    async def _in_chunks(self, object_id: bytes) -> bytes:
        name = _name_of(object_id)
        held = await self._patiently_held(name)
        try:
            if held is None:
                return await self._unasked()
            answer = await self._asked(name, held)
            # What an earlier process left under this name may be of a file that changed meanwhile.
            return answer if answer == object_id or held == 0 else await self._asked(_random_name(), 0)
        except (ObjectUnknown, RouteMissing):
            return await self._at_once()  # a gateway without this route

    async def _asked(self, name: str, held: int) -> bytes:
        patience = Patience(self._policy)
        while True:
            try:
                answer = await self._send_chunk(name, held)
            except (RateLimited, StorageUnreachable) as exc:
                await patience.wait_after(exc)
                held = await self._held_after(exc, name, held)
                continue
            if isinstance(answer, bytes):
                return answer
            patience.renew()
            held = answer

    async def _held_after(self, failure: CaregridError, name: str, sent_from: int) -> int:
        if isinstance(failure, RateLimited):
            return sent_from
        held = await self._patiently_held(name)
        if held is None:
            raise ProtocolViolation("the storage gateway does not say any more how much it holds")
        was_last = sent_from + self._policy.chunk_size >= self._file.size
        if was_last and held == 0 and not self._asked_again:
            # The upload may be done and nothing held of it any more: the same chunk brings the answer.
            self._asked_again = True
            return sent_from
        return held

    async def _unasked(self) -> bytes:
        patience = Patience(self._policy)
        while True:
            try:
                return await self._unasked_once(_random_name(), patience)
            except StorageUnreachable as exc:
                await patience.wait_after(exc)

    async def _unasked_once(self, name: str, patience: Patience) -> bytes:
        held = 0
        while True:
            try:
                answer = await self._send_chunk(name, held)
            except RateLimited as exc:
                await patience.wait_after(exc)  # it was sent away before anything of it was kept
                continue
            if isinstance(answer, bytes):
                return answer
            held = answer

    async def _send_chunk(self, name: str, held: int) -> int | bytes:
        # Returns the place of the next chunk, or the file id after the last one.
        size = self._file.size
        # With everything held, the last byte once more is what asks for the answer.
        start = min(held, size - 1)
        end = min(start + self._policy.chunk_size, size)
        body = Body(self._file, start, end, self._meter)
        span = f"bytes {start}-{end - 1}/{size}"
        deadline_s = deadlines.UPLOAD_TIMEOUT_S if end == size else deadlines.CHUNK_TIMEOUT_S
        options = self._options(body, deadline_s, {"Content-Range": span}, whole=end == size)
        with body.failures():
            async with self._gateway.request("PUT", f"resume/{name}", **options) as response:
                if end < size and response.status == transport.GO_ON:
                    return end
                return answers.file_id(await transport.data_of(response))

    async def _patiently_held(self, name: str) -> int | None:
        patience = Patience(self._policy)
        while True:
            try:
                return await self._held(name)
            except (RateLimited, StorageUnreachable) as exc:
                await patience.wait_after(exc)

    async def _held(self, name: str) -> int | None:
        # How much a gateway holds of an upload; None for one that cannot be asked.
        headers = {**self._identity.headers(), "Content-Range": f"bytes */{self._file.size}"}
        try:
            async with self._gateway.request(
                "HEAD", f"resume/{name}", headers=headers, deadline_s=deadlines.OFFSET_TIMEOUT_S
            ) as response:
                if response.status != transport.OK:
                    await transport.data_of(response)
                return _offset(response.headers.get("Upload-Offset"), self._file.size)
        except RouteMissing:
            return None

    def _options(
        self, body: Body, deadline_s: float, more: dict[str, str] | None = None, *, whole: bool = True
    ) -> dict[str, Any]:
        length = {"Content-Length": str(body.length)}
        return {
            "headers": {**self._identity.headers(), **length, **(more or {})},
            "body": body.chunks(),
            "transfer": self._file.size if whole else body.length,
            "deadline_s": deadline_s,
        }


def _name_of(object_id: bytes) -> str:
    return hashlib.sha256(_NAME_DOMAIN + object_id).hexdigest()[:_NAME_LEN]


def _random_name() -> str:
    return secrets.token_hex(_NAME_LEN // 2)


def _offset(told: str | None, size: int) -> int:
    if told is None or not told.isdecimal() or int(told) > size:
        raise ProtocolViolation("the storage gateway does not say how much of the upload it holds")
    return int(told)
