"""A sidecar in a process of its own, for tests that kill it: `python sidecar_process.py HOME OUTSIDE`.

Chain and storage are twins whose state lies in files of the folder OUTSIDE, so that they outlive the process
as a real chain and a real network would. Everything else is what runs in production.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caregrid.auditing import MemoryProvingStore
from caregrid.chain import Call, calls
from caregrid.fhir import FhirValidator
from caregrid.keys import FileKeyStore, KdfCost
from caregrid.proofs import podr2
from caregrid.proofs.proving_store import FragmentPlace
from caregrid.proofs.tag_list import PER_SEGMENT
from caregrid.storage import MemoryObjectStore
from caregrid.testing import MemoryChain
from ocw_sidecar import supervisor
from ocw_sidecar.adapters.proving import proving_with
from ocw_sidecar.ports import Ports, Proving
from ocw_sidecar.settings import Settings
from ocw_sidecar.testing import OPERATOR, ORGANISATION, PATIENT

if TYPE_CHECKING:
    from caregrid.chain import FinalizedBlock
    from caregrid.proofs.podr2 import PublicKey
    from caregrid.storage import Progress, Source

PASSPHRASE = "for tests only"
CHEAP = KdfCost(memory_kib=64, iterations=1, lanes=1)


class FileChain(MemoryChain):
    """A chain whose blocks are lines of a file; a block counts once its line is whole and on disk."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        for line in path.read_text().splitlines() if path.exists() else ():
            self._replay(json.loads(line))

    def finalize_block(self) -> FinalizedBlock:
        """Write the block down, then run it."""
        line = [
            [each.signer.hex(), each.call.pallet, each.call.function, dict(each.call.params)]
            for each in self._pool
        ]
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return super().finalize_block()

    def _replay(self, block: list[list[Any]]) -> None:
        for signer, pallet, function, params in block:
            call = Call(pallet=pallet, function=function, params=params)
            self.pool(bytes.fromhex(signer), call).cancel()
        super().finalize_block()


class FileStore(MemoryObjectStore):
    """A store whose objects are files of a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        folder.mkdir(exist_ok=True)
        self._folder = folder
        for path in folder.glob("*.object"):
            self._objects[bytes.fromhex(path.stem)] = path.read_bytes()

    async def put(self, source: Source, *, progress: Progress | None = None) -> bytes:
        """Keep the object, then its file, whole or not at all."""
        object_id = await super().put(source, progress=progress)
        part = self._folder / f"{object_id.hex()}.part"
        part.write_bytes(self._objects[object_id])
        part.rename(self._folder / f"{object_id.hex()}.object")
        return object_id

    async def delete(self, object_id: bytes) -> bool:
        """Remove the object's file, then forget it."""
        (self._folder / f"{object_id.hex()}.object").unlink(missing_ok=True)
        return await super().delete(object_id)


class FileNodes(MemoryProvingStore):
    """Storage nodes whose tags are files of a folder."""

    def __init__(self, objects: MemoryObjectStore, folder: Path) -> None:
        super().__init__(objects)
        folder.mkdir(exist_ok=True)
        self._folder = folder
        for path in folder.glob("*.tags"):
            object_id, number = path.name.split(".")[:2]
            place, tags = FragmentPlace.numbered(bytes.fromhex(object_id), int(number)), path.read_bytes()
            self._tags.setdefault(place, {})[sha256(tags).digest()] = tags

    async def put_tags(self, place: FragmentPlace, tags: bytes, key: PublicKey | None) -> bytes:
        """Keep tags, then their file, whole or not at all."""
        name = await super().put_tags(place, tags, key)
        stem = f"{place.object_id.hex()}.{place.segment * PER_SEGMENT + place.index}.{name.hex()}"
        part = self._folder / f"{stem}.part"
        part.write_bytes(tags)
        part.rename(self._folder / f"{stem}.tags")
        return name


def drop_torn_block(path: Path) -> None:
    """Forget a last block whose line a kill cut short; nobody has heard of it."""
    whole, newline, torn = path.read_bytes().rpartition(b"\n") if path.exists() else (b"", b"", b"")
    if torn:
        path.write_bytes(whole + newline)


async def open_chain(outside: Path) -> FileChain:
    """Return the chain; a new one gets its organisation, operator and patient."""
    path = outside / "chain.jsonl"
    fresh = not path.exists()
    chain = FileChain(path)
    if fresh:
        await chain.submitter(ORGANISATION).submit(calls.register_organisation([OPERATOR]))
        await chain.submitter(OPERATOR).submit(calls.register_patient(ORGANISATION, PATIENT))
    return chain


def open_keys(outside: Path) -> FileKeyStore:
    """Return the custodian's key store; a new one gets its master key."""
    path = outside / "keystore.json"
    if path.exists():
        return FileKeyStore.open(path, PASSPHRASE)
    return FileKeyStore.create(path, PASSPHRASE, cost=CHEAP)


def open_nodes(store: MemoryObjectStore, outside: Path) -> Proving:
    """Return nodes that answer challenges; the proof key is the same every time."""
    return proving_with(FileNodes(store, outside / "tags"), podr2.keygen("public", b"\x07" * 32))


async def main(home: Path, outside: Path) -> None:
    """Run the sidecar until it is told to stop, or killed."""
    drop_torn_block(outside / "chain.jsonl")
    chain = await open_chain(outside)
    store = FileStore(outside / "objects")
    ports = Ports(
        chain=chain,
        submitter=chain.submitter(OPERATOR),
        store=store,
        proving=open_nodes(store, outside) if "TEST_PROVING" in os.environ else None,
        key_store=open_keys(outside),
        validator=FhirValidator(),
    )
    settings = Settings.load(
        home=home,
        organisation=ORGANISATION,
        port=0,
        ready_file=outside / "ready.json",
        pack_age_limit_s=0.0,
        min_free_disk=0,
        tick_s=0.2,
    )
    await supervisor.run(settings, ports=ports)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
