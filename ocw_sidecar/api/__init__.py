"""The sidecar's HTTP API, for the custodian's own applications."""

from ocw_sidecar.api.app import Api, build_app
from ocw_sidecar.api.tokens import Tokens, create_token

__all__ = ["Api", "Tokens", "build_app", "create_token"]
