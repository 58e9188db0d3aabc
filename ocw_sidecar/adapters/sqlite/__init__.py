"""The queue on SQLite: one file, one process, nothing to install."""

from ocw_sidecar.adapters.sqlite.queue import SqliteQueue

__all__ = ["SqliteQueue"]
