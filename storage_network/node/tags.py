"""Tags on disk, beside the fragments they are of: a folder for each fragment, a file for each set of tags.

A set is named by its SHA-256, so that a damaged one is known from its name. A fragment that is set aside
keeps its tags: they are right again as soon as it is back.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from caregrid.disk import sync_folder
from caregrid.errors import DigestMismatch, DiskLow, TagsUnknown
from storage_network import files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage_network.node.quota import Quota

#: Sets of tags of one fragment: of several owners, and of an owner's both schemes.
MAX_SETS: Final = 8

_NAME: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class TagStore:
    """Tags below one folder; every method blocks on the disk.

    Who writes or deletes a fragment's tags keeps others from doing the same meanwhile.
    """

    def __init__(self, root: Path, parts: Path, quota: Quota) -> None:
        self._root, self._parts, self._quota = root, parts, quota
        self._changing = threading.RLock()
        root.mkdir(parents=True, exist_ok=True)
        for fragment in self._fragments():
            quota.add(_size_of(fragment))

    def put(self, fragment: bytes, name: bytes, tags: bytes) -> None:
        """Keep a set of tags durably; one that is there is replaced, which heals it.

        Raises:
            DigestMismatch: they have another hash.
            DiskLow: they would exceed the node's limit, or the fragment has `MAX_SETS` already.
        """
        if hashlib.sha256(tags).digest() != name:
            raise DigestMismatch("the tags do not have the hash that they are to be kept under")
        with self._changing, self._room(fragment, name, len(tags)):
            path = self._path(fragment, name)
            path.parent.mkdir(exist_ok=True)
            sync_folder(self._root)
            files.write_atomically(path, tags, part_folder=self._parts)

    def read(self, fragment: bytes, name: bytes) -> bytes:
        """Return a set of tags, checked; a damaged one is deleted, for its owner makes the same again.

        Raises:
            TagsUnknown: it is not here, or not any more.
        """
        tags = self._intact(fragment, name)
        if tags is None:
            with self._changing:
                # Somebody else may have healed it meanwhile.
                tags = self._intact(fragment, name)
                if tags is None:
                    self._delete(self._path(fragment, name))
                    raise TagsUnknown
        return tags

    def names(self, fragment: bytes) -> list[bytes]:
        """Return the hashes of a fragment's sets, in order."""
        try:
            found = [path.name for path in (self._root / fragment.hex()).iterdir()]
        except FileNotFoundError:
            return []
        return sorted(bytes.fromhex(name) for name in found if _NAME.fullmatch(name))

    def scrub(self, fragment: bytes) -> int:
        """Read a fragment's sets, delete the damaged ones, and return how many they were."""
        damaged = 0
        for name in self.names(fragment):
            try:
                self.read(fragment, name)
            except TagsUnknown:
                damaged += 1
        return damaged

    def forget(self, fragment: bytes) -> None:
        """Delete a fragment's tags durably."""
        folder = self._root / fragment.hex()
        with self._changing:
            if folder.exists():
                held = _size_of(folder)
                shutil.rmtree(folder)
                sync_folder(self._root)
                self._quota.add(-held)

    @contextmanager
    def _room(self, fragment: bytes, name: bytes, size: int) -> Iterator[None]:
        held = self.names(fragment)
        if name in held:
            # A damaged file may be of any size; what replaces it counts in full.
            size -= self._path(fragment, name).stat().st_size
        elif len(held) >= MAX_SETS:
            raise DiskLow(f"the fragment has {MAX_SETS} sets of tags already")
        with self._quota.room(size):
            yield

    def _intact(self, fragment: bytes, name: bytes) -> bytes | None:
        try:
            tags = self._path(fragment, name).read_bytes()
        except FileNotFoundError:
            return None
        return tags if hashlib.sha256(tags).digest() == name else None

    def _delete(self, path: Path) -> None:
        try:
            size = path.stat().st_size
            path.unlink()
        except FileNotFoundError:
            return
        self._quota.add(-size)

    def _fragments(self) -> Iterator[Path]:
        return (path for path in self._root.iterdir() if _NAME.fullmatch(path.name))

    def _path(self, fragment: bytes, name: bytes) -> Path:
        return self._root / fragment.hex() / name.hex()


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
