"""A stock gateway and a node of the CESS chain, whose state has what the gateway stored."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from aiohttp.test_utils import TestServer

from caregrid.cess import CessFile, CessFragment, CessSegment, FileState
from caregrid.cess.keys import map_key
from caregrid.storage import FileIdHasher
from ocw_sidecar.adapters.cess import CessProofs, CessReader, CessStore, open_reader
from ocw_sidecar.settings.cess import CessSettings
from tests.contract.gateways.clients import PAIR, client
from tests.contract.gateways.stock import SPACE, StockGateway
from tests.unit.cess import values
from tests.unit.cess.conftest import HEAD, block_hash, node_of
from tests.unit.cess.encoding import encoded, hexed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from tests.unit.cess.conftest import Node

ME: Final = PAIR[0]
GENESIS: Final = bytes.fromhex(block_hash(0)[2:])
GIB: Final = 1 << 30
FINE: Final = {
    "token": "0x" + "02" * 32,
    "total": 100 * GIB,
    "used": 0,
    "locked": 0,
    "remaining": 100 * GIB,
    "start": 1,
    "deadline": HEAD + 14_400 * 30,
    "state": "Active",
}
_numbers: Final = itertools.count()


@dataclass
class ChainedGateway(StockGateway):
    """A stock gateway that notes on its chain what it has stored."""

    node: Node | None = None
    territory: dict[str, Any] | None = field(default_factory=lambda: dict(FINE))
    extra: dict[bytes, bytes] = field(default_factory=dict)  #: stands above what is made of the files

    def tell(self) -> None:
        """Have the node serve what there is."""
        assert self.node is not None
        self.node.state = {**miners(), **self._files(), **self._territory(), **self.extra}
        self.node.tell()

    def _stored(self, request: web.Request, account: str, body: bytes) -> web.Response:
        response = super()._stored(request, account, body)
        self.tell()
        return response

    async def _delete(self, request: web.Request) -> web.Response:
        response = await super()._delete(request)
        self.tell()
        return response

    def _files(self) -> dict[bytes, bytes]:
        stored = {fid: file_of(body) for fid, body in self.files.items()}
        return {file_key(bytes.fromhex(fid)): values.encoded_file(file) for fid, file in stored.items()}

    def _territory(self) -> dict[bytes, bytes]:
        if self.territory is None:
            return {}
        used = sum(-(-len(body) // (SPACE // 3)) * SPACE for body in self.files.values())
        left = self.territory["remaining"] - used
        told = {**self.territory, "used": self.territory["used"] + used, "remaining": left}
        return {territory_key(): encoded("CessTerritory", told)}


@dataclass(frozen=True, kw_only=True)
class CessNetwork:
    """All of it."""

    gateway: ChainedGateway
    node: Node
    reader: CessReader
    store: CessStore
    proofs: CessProofs
    settings: CessSettings


@asynccontextmanager
async def cess_network(process: str, **options: Any) -> AsyncIterator[CessNetwork]:
    """Run a gateway on a free port, with a node of its own in a process that serves nodes."""
    gateway = ChainedGateway()
    gateway.node = node_of(process, f"cess{next(_numbers)}")
    gateway.tell()
    made: dict[str, Any] = {"rpc_urls": (gateway.node.ws,), "genesis": GENESIS, **options}
    settings = CessSettings(**made)
    async with TestServer(gateway.app()) as server, open_reader(settings) as reader:
        gateway.url = str(server.make_url("/"))
        store = CessStore(client(gateway.url), reader, ME, "caregrid")
        try:
            yield CessNetwork(
                gateway=gateway,
                node=gateway.node,
                reader=reader,
                store=store,
                proofs=CessProofs(reader),
                settings=settings,
            )
        finally:
            await store.close()


def file_of(body: bytes, *, lost: frozenset[int] = frozenset(), tag: int | None = 6_000) -> CessFile:
    """Return the file that stock gateway and miners make of content, on twelve miners."""
    hasher = FileIdHasher()
    hasher.update(body)
    segments = tuple(
        CessSegment(digest=digest, fragments=_fragments(number, lost, tag))
        for number, digest in enumerate(hasher.segments())
    )
    owners = (values.owner_of(ME),)
    return CessFile(
        segments=segments, owners=owners, size=len(body), completion=5_990, state=FileState.ACTIVE
    )


def with_holder(file: CessFile, index: int, miner: bytes) -> CessFile:
    """Return the file with another miner of one fragment of the first segment."""
    first, *others = file.segments
    fragments = list(first.fragments)
    fragments[index] = replace(fragments[index], miner=miner)
    return replace(file, segments=(replace(first, fragments=tuple(fragments)), *others))


def miners() -> dict[bytes, bytes]:
    """Return the entries of the twelve miners."""
    return {miner_key(index): values.encoded_miner(values.miner_of()) for index in range(12)}


def file_key(file_id: bytes) -> bytes:
    """Return the key of a file."""
    return map_key("FileBank", "File", file_id.hex().encode())


def deal_key(file_id: bytes) -> bytes:
    """Return the key of a file that is on its way."""
    return map_key("FileBank", "DealMap", file_id.hex().encode())


def miner_key(index: int) -> bytes:
    """Return the key of a miner."""
    return map_key("Sminer", "MinerItems", values.account(index))


def audit_key(item: str, index: int) -> bytes:
    """Return the key of an entry of a miner's audits."""
    return map_key("Audit", item, values.account(index))


def order_key(fragment: bytes) -> bytes:
    """Return the key of the order to restore a fragment."""
    return map_key("FileBank", "RestoralOrder", fragment.hex().encode())


def territory_key(name: str = "caregrid") -> bytes:
    """Return the key of the account's territory."""
    return map_key("StorageHandler", "Territory", ME, bytes([len(name) << 2]) + name.encode())


def operators_key() -> bytes:
    """Return the key of who may act for the account."""
    return map_key("Oss", "AuthorityList", ME)


def operators(*numbers: int) -> bytes:
    """Return a value of these operators."""
    return encoded("CessOperators", [hexed(values.account(number)) for number in numbers])


def _fragments(segment: int, lost: frozenset[int], tag: int | None) -> tuple[CessFragment, ...]:
    return tuple(
        CessFragment(
            digest=values.digest(1_000 + 12 * segment + index),
            available=index not in lost,
            tag_block=tag,
            miner=values.account(index),
        )
        for index in range(12)
    )
