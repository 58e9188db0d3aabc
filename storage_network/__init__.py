"""A local storage network that does what CESS does: a gateway and storage nodes, each its own process."""

from storage_network.launch import LocalNetwork

__all__ = ["LocalNetwork"]
