"""A whole CareGrid on this machine: chain, storage, accounts and a sidecar, to try and to test."""

from __future__ import annotations

from ocw_sidecar.devnet.layout import DevnetLayout
from ocw_sidecar.devnet.network import Devnet, Parts

__all__ = ["Devnet", "DevnetLayout", "Parts"]
