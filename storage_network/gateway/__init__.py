"""The gateway of the local storage network: DeOSS's HTTP API over storage nodes."""

from storage_network.gateway.app import make_app
from storage_network.gateway.settings import GatewaySettings

__all__ = ["GatewaySettings", "make_app"]
