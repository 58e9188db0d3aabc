"""A rotation on a disk that is full from its Nth write on, for all N: `python -m` this module with a folder.

Runs with the library of full_disk.c loaded before all others, and prints how many N there were. Key store and
database are files, as in production.
"""

from __future__ import annotations

import asyncio
import ctypes
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from caregrid.errors import DiskLow
from caregrid.keys import FileKeyStore, KdfCost
from ocw_sidecar.adapters.sqlite import SqliteDatabase
from ocw_sidecar.cli import keys_rotate
from ocw_sidecar.settings import Settings
from tests.wrapped_rows import fill, opened

PASSPHRASE: Final = "for tests only"
CHEAP: Final = KdfCost(memory_kib=8, iterations=1, lanes=1)
RECORDS: Final = 300
UNLIMITED: Final = 1_000_000

library = ctypes.CDLL(None)
library.full_disk_arm.argtypes = [ctypes.c_long]
library.full_disk_counted.restype = ctypes.c_long


def main(folder: Path) -> None:
    """Count a rotation's writes, then run it with the disk full from each of them on."""
    keys = asyncio.run(prepare(folder / "origin"))
    total = run(folder, UNLIMITED, keys)
    assert total > 10, "the library was not loaded"
    failed = sum(run(folder, limit, keys) for limit in range(1, total + 1))
    print(total, failed)  # noqa: T201 - a program


async def prepare(home: Path) -> dict[Any, bytes]:
    """Make a key store, and a database with keys that it wrapped."""
    home.mkdir()
    store = FileKeyStore.create(home / "keystore.json", PASSPHRASE, cost=CHEAP)
    (home / "passphrase").write_text(PASSPHRASE)
    database = SqliteDatabase.open(home / "queue.sqlite3")
    filled = await fill(database, store, records=RECORDS)
    await database.close()
    return filled.keys


def run(folder: Path, limit: int, keys: dict[Any, bytes]) -> int:
    """Rotate with room for so many writes; return how many it made, or 1 when it ran out of room."""
    home = folder / str(limit)
    shutil.copytree(folder / "origin", home)
    library.full_disk_arm(limit)
    try:
        asyncio.run(rotate(home))
        failed = False
    except DiskLow:
        failed = True
    counted = int(library.full_disk_counted())
    library.full_disk_arm(UNLIMITED)
    names = {path.name for path in home.iterdir()}
    assert not [name for name in names if name.endswith(".part")], names
    versions = FileKeyStore.open(home / "keystore.json", PASSPHRASE).versions()
    assert len(versions) in ({1, 2} if failed else {2})
    again = asyncio.run(rotate(home))
    assert (0, True) == (again["left"], again["version"] >= len(versions))
    assert [keys] == asyncio.run(everything(home))
    shutil.rmtree(home)
    return counted if limit == UNLIMITED else int(failed)


async def rotate(home: Path) -> dict[str, Any]:
    """Rotate as the command does."""
    settings = Settings.load(home=home, organisation=bytes(32))
    return await keys_rotate.carry_out(
        settings, new_version=False, retire_old=False, progress=lambda *_: None
    )


async def everything(home: Path) -> list[dict[Any, bytes]]:
    """Return every data key, by the key store as it is now."""
    database = SqliteDatabase.open(home / "queue.sqlite3")
    try:
        return await opened(database, [FileKeyStore.open(home / "keystore.json", PASSPHRASE)])
    finally:
        await database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
