"""Objects on CESS through a DeOSS gateway (HTTP API of DeOSS 0.4, and of our own `storage_network`)."""

from caregrid.storage.deoss.store import DeossStore

__all__ = ["DeossStore"]
