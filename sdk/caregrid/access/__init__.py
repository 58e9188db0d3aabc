"""Who may read what: asked for, given, extended, withdrawn, opened in an emergency."""

from caregrid.access.client import DEFAULT_GRANT_BLOCKS, Access, Handover
from caregrid.access.data_keys import DataKeys
from caregrid.access.requests import DEFAULT_REQUEST_BLOCKS

__all__ = ["DEFAULT_GRANT_BLOCKS", "DEFAULT_REQUEST_BLOCKS", "Access", "DataKeys", "Handover"]
