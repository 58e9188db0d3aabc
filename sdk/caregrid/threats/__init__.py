"""Blocked networks and attack signatures that organisations share: look-ups, and files for firewalls."""

from caregrid.threats.blocklist import Blocklist, parse_address, parse_network
from caregrid.threats.client import Threats
from caregrid.threats.export import Export, nftables, plain_list
from caregrid.threats.feed import ThreatFeed

__all__ = [
    "Blocklist",
    "Export",
    "ThreatFeed",
    "Threats",
    "nftables",
    "parse_address",
    "parse_network",
    "plain_list",
]
