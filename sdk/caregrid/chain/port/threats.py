"""What organisations tell each other about attackers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: A network in CIDR notation; without host bits, so that it has one spelling.
IpNet = IPv4Network | IPv6Network


def network_of(value: Mapping[str, Any]) -> IpNet:
    """Return a network from the runtime's enum, as an event's field holds it."""
    [(version, fields)] = value.items()
    kind: type[IpNet] = IPv4Network if version == "V4" else IPv6Network
    return kind((fields["address"], fields["prefix"]))


class BlockReason(StrEnum):
    """Why a network is blocked."""

    BRUTE_FORCE = "BruteForce"
    SCANNING = "Scanning"
    DENIAL_OF_SERVICE = "DenialOfService"
    INTRUSION = "Intrusion"
    EXFILTRATION = "Exfiltration"
    POLICY = "Policy"


class SignatureFormat(StrEnum):
    """The language that a signature is written in."""

    REGEX = "Regex"
    SNORT = "Snort"
    SIGMA = "Sigma"
    YARA = "Yara"


class Severity(StrEnum):
    """How bad a match is."""

    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"
    CRITICAL = "Critical"


@dataclass(frozen=True, kw_only=True, slots=True)
class IpBlock:
    """A network that an organisation blocks, until a block."""

    net: IpNet
    organisation: bytes
    reason: BlockReason
    expires_at: int  #: the network is blocked in blocks with a number below this one

    def is_live(self, at_block: int) -> bool:
        """Tell whether the network is blocked at a block."""
        return at_block < self.expires_at


@dataclass(frozen=True, kw_only=True, slots=True)
class AttackSignature:
    """What an attack looks like."""

    signature_id: bytes
    organisation: bytes  #: who registered it
    format: SignatureFormat
    severity: Severity
    pattern: bytes  #: the text, as UTF-8 unless its author chose otherwise
    registered_at: int  #: block number


@dataclass(frozen=True, kw_only=True, slots=True)
class IpBlockPage:
    """Some of the blocked networks, in the order of the chain's storage keys."""

    items: Sequence[IpBlock]
    next: bytes | None  #: `after` of the next page; None at the end


@dataclass(frozen=True, kw_only=True, slots=True)
class SignaturePage:
    """Some of the attack signatures, in the order of the chain's storage keys."""

    items: Sequence[AttackSignature]
    next: bytes | None  #: `after` of the next page; None at the end
