"""The same without `await`: a thin runner over :class:`caregrid.threats.Threats`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.threats.client import DEFAULT_BLOCKS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from caregrid.blocking import Run
    from caregrid.chain.port import AttackSignature, IpBlock, IpNet, Receipt
    from caregrid.threats.blocklist import IpAddress
    from caregrid.threats.client import Threats


class BlockingThreats:
    """As the asynchronous one, each call blocking."""

    def __init__(self, threats: Threats, run: Run) -> None:
        self._threats, self._run = threats, run

    def trust(self, organisations: Collection[bytes] | None, *, allowed: Sequence[IpNet] = ()) -> None:
        """As :meth:`caregrid.threats.Threats.trust`."""
        self._threats.trust(organisations, allowed=allowed)

    def is_blocked(self, address: str | IpAddress) -> bool:
        """As :meth:`caregrid.threats.Threats.is_blocked`."""
        return self._run(self._threats.is_blocked(address))

    def covering(self, address: str | IpAddress) -> IpBlock | None:
        """As :meth:`caregrid.threats.Threats.covering`."""
        return self._run(self._threats.covering(address))

    def networks(self) -> list[IpNet]:
        """As :meth:`caregrid.threats.Threats.networks`."""
        return self._run(self._threats.networks())

    def signatures(self) -> list[AttackSignature]:
        """As :meth:`caregrid.threats.Threats.signatures`."""
        return self._run(self._threats.signatures())

    def block(self, net: str | IpNet, *, reason: str, blocks: int = DEFAULT_BLOCKS) -> Receipt:
        """As :meth:`caregrid.threats.Threats.block`."""
        return self._run(self._threats.block(net, reason=reason, blocks=blocks))

    def unblock(self, net: str | IpNet) -> Receipt:
        """As :meth:`caregrid.threats.Threats.unblock`."""
        return self._run(self._threats.unblock(net))

    def register_signature(
        self,
        pattern: str | bytes,
        *,
        format: str,  # noqa: A002 - the field's name
        severity: str,
        signature_id: bytes | None = None,
    ) -> bytes:
        """As :meth:`caregrid.threats.Threats.register_signature`."""
        return self._run(
            self._threats.register_signature(
                pattern, format=format, severity=severity, signature_id=signature_id
            )
        )

    def retire_signature(self, signature_id: bytes) -> Receipt:
        """As :meth:`caregrid.threats.Threats.retire_signature`."""
        return self._run(self._threats.retire_signature(signature_id))
