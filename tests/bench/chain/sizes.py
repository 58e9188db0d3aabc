"""How much the state and the database of a node grow with each record, and what a block weighs."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from substrateinterface import Keypair

from caregrid.chain import calls
from tests.bench.chain import nodes, signing
from tests.bench.chain.anchoring import Archive
from tests.integration.node_process import poll, start_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from caregrid.chain import Call
    from tests.integration.node_process import Node

#: Final states that the measured node keeps. The default is 256: then most of a short run's growth would be
#: old versions of the state, which do not become more as the chain grows older.
STATES: Final = 2

#: Twox128 of `Emr`: how the storage keys of the pallet begin.
_EMR: Final = "0x5f4250ecfed298fb52d8e229dc33dd2c"
#: Twox128 of `System`, then of `BlockWeight`.
_BLOCK_WEIGHT: Final = "0x26aa394eea5630e07c48ae0c9558cef734abf5cb34d6244378cddbf18e849d96"
#: The most keys that a node returns at once.
_PAGE: Final = 1_000
#: What the file system counts in.
_SECTOR: Final = 512
#: Finality is a slot or two behind the best block.
_FINALITY_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """What a node holds."""

    entries: int  #: of the pallet `Emr` in the state
    state: int  #: bytes of their keys and values
    database: int  #: bytes on the disk

    def __sub__(self, other: Size) -> Size:
        return Size(
            entries=self.entries - other.entries,
            state=self.state - other.state,
            database=self.database - other.database,
        )


def validator(folder: Path) -> Node:
    """Return a node whose database forgets old states soon; not started yet."""
    return nodes.validator(folder, "sizes", f"--state-pruning={STATES}")


def growth(node: Node, records: int) -> Size:
    """Start a node, anchor records on its chain in batches, stop it, and tell what they added."""
    organisation = Keypair.create_from_uri("//Bob")
    archive = Archive(bytes(organisation.public_key))
    before = _include(node, organisation, [calls.register_organisation([]), archive.registration()])
    grown = _include(node, organisation, list(archive.batches(records))) - before
    # An entry in `Records` and one in `PatientRecords`.
    assert grown.entries >= 2 * records, f"{records} records made only {grown.entries} entries"
    return grown


def signed_weight(node: Node, block_hash: str) -> int:
    """Return the reference time that a block charged for signed calls, in picoseconds."""
    value = nodes.raw_bytes(node.rpc("state_getStorage", _BLOCK_WEIGHT, block_hash))
    return nodes.read_compact(value)[0]  # of the class Normal, which stands first


def _include(node: Node, who: Keypair, made: list[Call]) -> Size:
    """Start a node, have calls made and finalized, and stop it, which flushes its database."""
    start_all([node])
    with closing(signing.Signer(node)) as signer:
        blocks = signing.include(node, signer.sign([(who, call) for call in made]))
    assert poll(lambda: node.final() >= blocks[-1].number, _FINALITY_TIMEOUT_S), "nothing becomes final"
    keys = list(_keys(node))
    values = int(node.rpc("state_getStorageSize", _EMR))
    node.stop()
    return Size(
        entries=len(keys),
        state=values + sum(len(nodes.raw_bytes(key)) for key in keys),
        database=_database_bytes(node),
    )


def _keys(node: Node) -> Iterator[str]:
    """Yield all storage keys of the pallet, of the best block: older states are soon gone."""
    page = node.rpc("state_getKeysPaged", _EMR, _PAGE)
    while page:
        yield from page
        page = node.rpc("state_getKeysPaged", _EMR, _PAGE, page[-1])


def _database_bytes(node: Node) -> int:
    files = [path for path in nodes.database(node).rglob("*") if path.is_file()]
    # Not the length of the files: parts that nobody wrote yet occupy nothing.
    return sum(path.stat().st_blocks * _SECTOR for path in files)
