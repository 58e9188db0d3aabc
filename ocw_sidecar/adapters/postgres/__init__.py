"""PostgreSQL: one database, any number of processes. Importing this needs the extra `postgres`."""

from ocw_sidecar.adapters.postgres.connection import Access
from ocw_sidecar.adapters.postgres.database import PostgresDatabase

__all__ = ["Access", "PostgresDatabase"]
