"""Fragments on disk: one plain file each, named by its SHA-256."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.disk import sync_folder
from caregrid.errors import DigestMismatch, NotFound
from storage_network import files
from storage_network.node.quota import Quota
from storage_network.node.tags import TagStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Damaged files kept for a look at them; the oldest go first.
MAX_SET_ASIDE: Final = 64

#: Fragments remembered as checked; at 8 MiB each they are half a terabyte.
_MAX_REMEMBERED: Final = 65_536
_READ_SIZE: Final = 1024 * 1024
_NAME: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a node holds and what it has room for, in bytes of whole fragments."""

    fragments: int
    bytes_free: int
    bytes_used: int  #: tags included
    bytes_limit: int | None  #: None where only the disk is a limit
    corrupt: int  #: files set aside and not replaced since, at most `MAX_SET_ASIDE`


class FragmentStore:
    """Fragments of one size below one folder; every method blocks on the disk, any thread may call it.

    A fragment that no longer has its hash is set aside and never handed out. What a crash left half written
    is cleared at the start; a file of another size than a fragment's is set aside then.
    """

    def __init__(self, root: Path, fragment_size: int, *, max_bytes: int | None = None) -> None:
        self.fragment_size, self._quota = fragment_size, Quota(max_bytes)
        self._fragments, self._parts, self._corrupt = root / "fragments", root / "parts", root / "corrupt"
        for folder in (self._fragments, self._corrupt):
            folder.mkdir(parents=True, exist_ok=True)
        files.clear_folder(self._parts)
        self._checked: dict[bytes, tuple[int, ...]] = {}
        self._locks = [threading.Lock() for _ in range(256)]
        self._clearing = threading.Lock()
        self.tags = TagStore(root / "tags", self._parts, self._quota)
        self._take_stock()

    def put(self, digest: bytes, content: bytes) -> None:
        """Keep a fragment durably; one that is there is replaced, which heals it.

        Raises:
            DigestMismatch: the content has another hash.
            DiskLow: it would exceed the node's limit.
        """
        if hashlib.sha256(content).digest() != digest:
            raise DigestMismatch("the content does not have the fragment's hash")
        with self._lock(digest), self._room(digest):
            files.write_atomically(self._path(digest), content, part_folder=self._parts)
            self._remember(digest, self._stamp(digest))
            (self._corrupt / digest.hex()).unlink(missing_ok=True)

    def delete(self, digest: bytes) -> None:
        """Forget a fragment and its tags durably; one that is not there is no error."""
        with self._lock(digest):
            self.tags.forget(digest)
            (self._corrupt / digest.hex()).unlink(missing_ok=True)
            try:
                self._path(digest).unlink()
            except FileNotFoundError:
                return
            sync_folder(self._fragments)
            self._gone(digest)

    def put_tags(self, digest: bytes, name: bytes, tags: bytes) -> None:
        """Keep tags of a fragment that is here; see `TagStore.put`.

        Raises:
            NotFound: it is not.
        """
        with self._lock(digest):
            if self.size(digest) is None:
                raise NotFound("there is no such fragment")
            self.tags.put(digest, name, tags)

    def size(self, digest: bytes) -> int | None:
        """Return the size of a fragment's file, unchecked, or None."""
        try:
            return self._path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, digest: bytes) -> bytes:
        """Return a whole fragment, checked.

        Raises:
            NotFound: it is not here.
            DigestMismatch: its file does not have the hash any more.
        """
        try:
            stamp = self._stamp(digest)
            content = self._path(digest).read_bytes()
        except FileNotFoundError:
            raise NotFound("there is no such fragment") from None
        self._require(digest, stamp, len(content), hashlib.sha256(content).digest())
        return content

    def check(self, digest: bytes) -> None:
        """Read a fragment from the disk itself, past what the system remembers of it; errors as `read`."""
        hasher, size = hashlib.sha256(), 0
        try:
            stamp = self._stamp(digest)
            with self._path(digest).open("rb", buffering=0) as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                while piece := file.read(_READ_SIZE):
                    hasher.update(piece)
                    size += len(piece)
        except FileNotFoundError:
            raise NotFound("there is no such fragment") from None
        self._require(digest, stamp, size, hasher.digest())

    def read_part(self, digest: bytes, start: int, length: int) -> bytes:
        """Return a part of a fragment; errors as `read`.

        The whole fragment is checked before its first part goes out, and again whenever its file has changed.
        """
        try:
            unchanged = self._checked.get(digest) == self._stamp(digest)
            if not unchanged:
                return self.read(digest)[start : start + length]
            with self._path(digest).open("rb") as file:
                return os.pread(file.fileno(), length, start)
        except FileNotFoundError:
            raise NotFound("there is no such fragment") from None

    def digests(self) -> list[bytes]:
        """Return what is here, in order."""
        return sorted(bytes.fromhex(entry.name) for entry in self._entries())

    def usage(self) -> Usage:
        """Tell what is used and free."""
        used, limit, free = self._quota.used, self._quota.limit, shutil.disk_usage(self._fragments).free
        if limit is not None:
            free = max(0, min(free, limit - used))
        return Usage(
            fragments=self._quota.fragments,
            bytes_free=free,
            bytes_used=used,
            bytes_limit=limit,
            corrupt=sum(1 for _ in os.scandir(self._corrupt)),
        )

    def _take_stock(self) -> None:
        for entry in list(self._entries()):
            self._quota.add(self.fragment_size, fragments=1)
            if entry.stat().st_size != self.fragment_size:
                digest = bytes.fromhex(entry.name)
                self._set_aside(digest, self._stamp(digest))

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        with os.scandir(self._fragments) as entries:
            yield from (entry for entry in entries if _NAME.fullmatch(entry.name))

    def _room(self, digest: bytes) -> AbstractContextManager[None]:
        if self._path(digest).exists():
            return nullcontext()
        return self._quota.room(self.fragment_size, fragments=1)

    def _require(self, digest: bytes, stamp: tuple[int, ...], size: int, found: bytes) -> None:
        if size != self.fragment_size or found != digest:
            self._set_aside(digest, stamp)
            raise DigestMismatch("the fragment's file is damaged; it has been set aside")
        self._remember(digest, stamp)

    def _lock(self, digest: bytes) -> threading.Lock:
        return self._locks[digest[0]]

    def _path(self, digest: bytes) -> Path:
        return self._fragments / digest.hex()

    def _stamp(self, digest: bytes) -> tuple[int, ...]:
        found = self._path(digest).stat()
        return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _remember(self, digest: bytes, stamp: tuple[int, ...]) -> None:
        if len(self._checked) >= _MAX_REMEMBERED:
            self._checked.clear()
        self._checked[digest] = stamp

    def _gone(self, digest: bytes) -> None:
        self._checked.pop(digest, None)
        self._quota.add(-self.fragment_size, fragments=-1)

    def _set_aside(self, digest: bytes, stamp: tuple[int, ...]) -> None:
        with self._lock(digest):
            # Somebody else may have set it aside meanwhile, or healed it.
            if self.size(digest) is None or self._stamp(digest) != stamp:
                return
            self._path(digest).replace(self._corrupt / digest.hex())
            self._gone(digest)
        self._clear_oldest()

    def _clear_oldest(self) -> None:
        with self._clearing:
            aside = sorted(self._corrupt.iterdir(), key=lambda path: path.stat().st_ctime_ns)
            for path in aside[:-MAX_SET_ASIDE]:
                path.unlink(missing_ok=True)
