"""Tags and proofs through a gateway of our own `storage_network`; stock DeOSS has no such routes."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from caregrid.auditing import deadlines
from caregrid.errors import CaregridError, DiskLow, FragmentLost, ProofOverdue, ProtocolViolation, TagsUnknown
from caregrid.proofs.proving_store import FragmentPlace, ProvingStore
from caregrid.storage.deoss import envelope, transport
from caregrid.storage.deoss.identity import Identity
from caregrid.storage.deoss.transport import Transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    import aiohttp

    from caregrid.proofs.podr2 import Challenge, PublicKey

#: An envelope, or a proof, is far shorter.
MAX_ANSWER_LEN: Final = 64 * 1024
#: A fragment may have tags of several owners; no node keeps as many as that.
MAX_HELD: Final = 32

_DIGEST_LEN: Final = 32
_DISK_FULL: Final = 507
_REASONS: Final[Mapping[str, type[CaregridError]]] = {
    "fragment_lost": FragmentLost,
    "tags_unknown": TagsUnknown,
    "proof_overdue": ProofOverdue,
}


class DeossProvingStore(ProvingStore):
    """One gateway, used in the name of one account, as :class:`~caregrid.storage.DeossStore`.

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
    ) -> None:
        self._gateway = Transport(url)
        self._identity = Identity(account, sign, territory, now)

    async def put_tags(self, place: FragmentPlace, tags: bytes, key: PublicKey | None) -> bytes:
        """Have tags kept; see `ProvingStore.put_tags`."""
        name = sha256(tags).digest()
        body = tags if key is None else key.encoded + tags
        query = {**_query(place), "tags": name.hex()}
        answer = await self._ask("PUT", "fragment/tags", query, deadlines.TAGS_TIMEOUT_S, body)
        _data(answer)
        return name

    async def held_tags(self, place: FragmentPlace) -> frozenset[bytes]:
        """Ask which tags are kept; see `ProvingStore.held_tags`."""
        answer = await self._ask("GET", "fragment/tags", _query(place), deadlines.HELD_TIMEOUT_S)
        return _held(_data(answer))

    async def prove(self, place: FragmentPlace, tags: bytes, challenge: Challenge) -> bytes:
        """Have a challenge answered; see `ProvingStore.prove`."""
        query = {**_query(place), "tags": tags.hex()}
        return await self._ask("POST", "fragment/proof", query, deadlines.PROOF_TIMEOUT_S, challenge.encoded)

    async def close(self) -> None:
        """Close the connections; new ones are opened when they are needed."""
        await self._gateway.close()

    async def _ask(
        self, method: str, path: str, query: Mapping[str, str], deadline_s: float, body: bytes | None = None
    ) -> bytes:
        headers = self._identity.headers()
        options: dict[str, Any] = {}
        if body is not None:
            headers["Content-Length"] = str(len(body))
            options["body"] = _whole(body)
        async with self._gateway.request(
            method, path, deadline_s=deadline_s, params=query, headers=headers, **options
        ) as response:
            content = await transport.limited_body(response, MAX_ANSWER_LEN)
            if response.status != transport.OK:
                raise _error(response, content)
            return content


def _query(place: FragmentPlace) -> dict[str, str]:
    return {"fid": place.object_id.hex(), "segment": str(place.segment), "index": str(place.index)}


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _error(response: aiohttp.ClientResponse, content: bytes) -> CaregridError:
    answer = envelope.parse(content)
    if answer is not None and isinstance(answer.data, dict):
        reason = _REASONS.get(str(answer.data.get("reason")))
        if reason is not None:
            return reason()
    if response.status == _DISK_FULL:
        return DiskLow("the storage node has no room for the tags; give it more, or free some")
    return envelope.error_of(response.status, answer, response.headers.get("Retry-After"))


def _data(content: bytes) -> Any:
    answer = envelope.parse(content)
    if answer is None or answer.code != transport.OK:
        raise ProtocolViolation("the storage gateway gave no usable answer about tags")
    return answer.data


def _held(data: Any) -> frozenset[bytes]:
    try:
        names = [bytes.fromhex(name) for name in data["tags"]]
    except (TypeError, ValueError, LookupError) as exc:
        raise ProtocolViolation("the storage gateway gave no usable list of tags") from exc
    if len(names) > MAX_HELD or any(len(name) != _DIGEST_LEN for name in names):
        raise ProtocolViolation("the storage gateway gave no usable list of tags")
    return frozenset(names)
