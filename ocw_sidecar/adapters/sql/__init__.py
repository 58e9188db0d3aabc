"""What the sidecar keeps in a database, the same on SQLite and on PostgreSQL."""

from ocw_sidecar.adapters.sql.database import Database, Result, Row, Session
from ocw_sidecar.adapters.sql.queue import SqlQueue

__all__ = ["Database", "Result", "Row", "Session", "SqlQueue"]
