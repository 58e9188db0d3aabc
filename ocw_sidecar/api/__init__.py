"""The sidecar's HTTP API, for the custodian's own applications and for those who may read its records."""

from ocw_sidecar.api.app import Api, build_app
from ocw_sidecar.callers.tokens import create_token

__all__ = ["Api", "build_app", "create_token"]
