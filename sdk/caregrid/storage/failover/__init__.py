"""Several gateways to one storage network, used as one store."""

from caregrid.storage.failover.health import Circuit, GatewayHealth
from caregrid.storage.failover.opening import open_store
from caregrid.storage.failover.policy import FailoverPolicy
from caregrid.storage.failover.pool import GatewayState
from caregrid.storage.failover.store import FailoverStore

__all__ = ["Circuit", "FailoverPolicy", "FailoverStore", "GatewayHealth", "GatewayState", "open_store"]
