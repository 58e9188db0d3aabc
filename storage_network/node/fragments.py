"""Fragments on disk: one plain file each, named by its SHA-256."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.errors import DigestMismatch, NotFound
from storage_network import files

if TYPE_CHECKING:
    from pathlib import Path

#: Fragments remembered as checked; at 8 MiB each they are half a terabyte.
_MAX_REMEMBERED: Final = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a node holds and what it has room for."""

    fragments: int
    bytes_free: int


class FragmentStore:
    """Fragments of one size below one folder; every method blocks on the disk.

    A fragment that no longer has its hash is set aside and never handed out.
    """

    def __init__(self, root: Path, fragment_size: int) -> None:
        self.fragment_size = fragment_size
        self._fragments, self._parts, self._corrupt = root / "fragments", root / "parts", root / "corrupt"
        for folder in (self._fragments, self._corrupt):
            folder.mkdir(parents=True, exist_ok=True)
        files.clear_folder(self._parts)
        self._checked: dict[bytes, tuple[int, ...]] = {}

    def put(self, digest: bytes, content: bytes) -> None:
        """Keep a fragment durably; one that is there is replaced, which heals it.

        Raises:
            DigestMismatch: the content has another hash.
        """
        if hashlib.sha256(content).digest() != digest:
            raise DigestMismatch("the content does not have the fragment's hash")
        files.write_atomically(self._path(digest), content, part_folder=self._parts)
        self._remember(digest, self._stamp(digest))

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
        if len(content) != self.fragment_size or hashlib.sha256(content).digest() != digest:
            self._set_aside(digest)
            raise DigestMismatch("the fragment's file is damaged; it has been set aside")
        self._remember(digest, stamp)
        return content

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

    def usage(self) -> Usage:
        """Count fragments and free bytes."""
        return Usage(
            fragments=sum(1 for _ in os.scandir(self._fragments)),
            bytes_free=shutil.disk_usage(self._fragments).free,
        )

    def _path(self, digest: bytes) -> Path:
        return self._fragments / digest.hex()

    def _stamp(self, digest: bytes) -> tuple[int, ...]:
        found = self._path(digest).stat()
        return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _remember(self, digest: bytes, stamp: tuple[int, ...]) -> None:
        if len(self._checked) >= _MAX_REMEMBERED:
            self._checked.clear()
        self._checked[digest] = stamp

    def _set_aside(self, digest: bytes) -> None:
        self._checked.pop(digest, None)
        self._path(digest).replace(self._corrupt / digest.hex())
