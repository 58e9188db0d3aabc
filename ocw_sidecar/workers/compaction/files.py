"""The files of new objects on their way: sealed bytes, under names that say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from caregrid.errors import DiskLow

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from ocw_sidecar.pipeline.bench import Bench

_SUFFIX: Final = ".object"


class ObjectFiles:
    """One folder of the home. Its methods block, but for `path`."""

    def __init__(self, bench: Bench) -> None:
        self._folder, self._spool = bench.settings.home / "compaction", bench.spool
        self._min_free = int(bench.settings.min_free_disk)

    def path(self, compaction_id: bytes) -> Path:
        """Return where an object's file is or will be."""
        return self._folder / f"{compaction_id.hex()}{_SUFFIX}"

    def prepare(self, needed: Collection[bytes]) -> None:
        """Make the folder, for its owner only, and remove what a crash has left there."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = {self.path(compaction_id) for compaction_id in needed}
        for file in self._folder.iterdir():
            if file not in known:
                file.unlink()

    def require_room(self, size: int) -> None:
        """Refuse what would fill the disk.

        Raises:
            DiskLow: less than the set minimum would stay free.
        """
        if self._spool.free_bytes() - size < self._min_free:
            raise DiskLow

    def remove(self, compaction_id: bytes) -> None:
        """Remove a file, if it is there."""
        self.path(compaction_id).unlink(missing_ok=True)
