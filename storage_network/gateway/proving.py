"""The gateway's side of proofs: it passes tags and challenges on to a fragment's node, and the answer back.

It checks no proof. Who asked does, and needs to trust neither node nor gateway for it.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import (
    DiskLow,
    FragmentLost,
    InputInvalid,
    ProofOverdue,
    StorageUnreachable,
    TagsUnknown,
)
from caregrid.proofs.podr2 import Scheme

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

    from storage_network.gateway.node_client import NodeClient
    from storage_network.gateway.records import PlacedFragment

#: Reading 8 MiB and computing over them takes a node 20 ms; past this it has no time, or makes believe.
PROOF_TIMEOUT_S: Final = 10.0
#: Likewise, and checking all tags takes a quarter of a second of one core; others may be before us.
TAGS_TIMEOUT_S: Final = 20.0
#: A look into one folder.
HELD_TIMEOUT_S: Final = 3.0
#: A list of eight hashes, or an error, is far shorter.
MAX_ANSWER_SIZE: Final = 4096
#: No scheme's proof is longer.
MAX_PROOF_LEN: Final = max(scheme.proof_len for scheme in Scheme)

_CREATED: Final = 201
_OK: Final = 200
_DIGEST_HEX: Final = 64
_MAX_NAMES: Final = 32


class Proving:
    """Talks about proofs with the nodes.

    Every method raises:
        FragmentLost: the node says that it has not got the fragment, or found it damaged.
        ProofOverdue: the node did not answer in time.
        StorageUnreachable: the node could not be reached, or failed.
    """

    def __init__(self, nodes: NodeClient) -> None:
        self._nodes = nodes

    async def put_tags(self, fragment: PlacedFragment, name: bytes, body: bytes) -> None:
        """Have a node keep tags.

        Raises:
            InputInvalid: it refuses them as wrong.
            DiskLow: it has no room for them.
        """
        path = f"tags/{name.hex()}"
        async with self._asking(fragment, "PUT", path, TAGS_TIMEOUT_S, body) as response:
            await _require(response, _CREATED)

    async def tags(self, fragment: PlacedFragment) -> list[str]:
        """Return the hashes, in hex, of the tags that a node keeps."""
        async with self._asking(fragment, "GET", "tags", HELD_TIMEOUT_S) as response:
            await _require(response, _OK)
            return _names(await response.content.read(MAX_ANSWER_SIZE))

    async def prove(self, fragment: PlacedFragment, name: bytes, challenge: bytes) -> bytes:
        """Return a node's answer to a challenge, which nobody has checked yet.

        Raises:
            InputInvalid: the node says that it is no challenge.
            TagsUnknown: the node has no such tags.
        """
        path = f"proof/{name.hex()}"
        async with self._asking(fragment, "POST", path, PROOF_TIMEOUT_S, challenge) as response:
            await _require(response, _OK)
            proof = await response.content.read(MAX_PROOF_LEN + 1)
            while not response.content.at_eof() and len(proof) <= MAX_PROOF_LEN:
                proof += await response.content.read(MAX_PROOF_LEN + 1 - len(proof))
        # What is too long to be a proof reaches who asked, as no proof: it is the node's answer.
        return proof[: MAX_PROOF_LEN + 1]

    @asynccontextmanager
    async def _asking(
        self, fragment: PlacedFragment, method: str, tail: str, timeout_s: float, body: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if fragment.node not in self._nodes.names:
            raise StorageUnreachable("the fragment's storage node is not configured any more")
        path = f"/fragment/{fragment.digest.hex()}/{tail}"
        try:
            # Before the client's own deadline, which cannot be told from a node that is down.
            async with (
                asyncio.timeout(timeout_s),
                self._nodes.asking(fragment.node, method, path, 2 * timeout_s, data=body) as response,
            ):
                yield response
        except TimeoutError:
            raise ProofOverdue from None


async def _require(response: aiohttp.ClientResponse, status: int) -> None:
    if response.status != status:
        code = _code(await response.content.read(MAX_ANSWER_SIZE))
        raise _ERRORS.get(code, StorageUnreachable)(_TEXTS.get(code))


def _code(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return ""


def _names(body: bytes) -> list[str]:
    try:
        told: list[Any] = json.loads(body)["tags"]
        names = [bytes.fromhex(name).hex() for name in told]
    except (ValueError, TypeError, LookupError, RecursionError) as exc:
        raise StorageUnreachable("the storage node gave no usable list of tags") from exc
    if len(names) > _MAX_NAMES or any(len(name) != _DIGEST_HEX for name in names):
        raise StorageUnreachable("the storage node gave no usable list of tags")
    return names


_ERRORS: Final[dict[str, type[Exception]]] = {
    "fragment_unknown": FragmentLost,
    "fragment_corrupt": FragmentLost,
    "tags_unknown": TagsUnknown,
    "tags_wrong": InputInvalid,
    "challenge_invalid": InputInvalid,
    "wrong_size": InputInvalid,
    "disk_full": DiskLow,
}
_TEXTS: Final = {
    "tags_wrong": "the storage node refuses the tags: they are not the fragment's under this key",
    "challenge_invalid": "the storage node refuses the challenge: it is none",
    "wrong_size": "tags or challenge have a length that none has",
    "disk_full": "the storage node has no room for the tags",
}
