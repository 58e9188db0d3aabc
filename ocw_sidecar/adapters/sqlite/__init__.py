"""SQLite: one file, one process, nothing to install."""

from ocw_sidecar.adapters.sqlite.database import SqliteDatabase

__all__ = ["SqliteDatabase"]
