"""Having a sidecar share blocked networks and attack signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from caregrid.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Callable

    from caregrid.transport import Transport

T = TypeVar("T")


class ThreatSharing:
    """What a client of a sidecar can do to share threats; each method returns once the wish is durable."""

    transport: Transport

    async def share_block(self, net: str, *, reason: str, hours: float = 24.0) -> bool:
        """Have a network blocked for everybody who heeds the organisation.

        Args:
            net: CIDR, or one address.
            reason: one of `caregrid.chain.BlockReason`.
            hours: for how long; 90 days at most.

        Returns:
            Whether that is new: False, it was wanted just so before.

        Raises:
            InputInvalid: one of these is not usable.
            QueueFull: the organisation wants too many.
            ScopeMissing: the caller may not.
        """
        wish = {"net": net, "reason": reason, "hours": hours}
        return await self._told("blocks", wish, lambda answer: bool(answer["changed"]))

    async def withdraw_block(self, net: str) -> bool:
        """Have a network blocked no more; return whether there was anything to withdraw. Raises as above."""
        return await self._told("unblocks", {"net": net}, lambda answer: bool(answer["changed"]))

    async def share_signature(
        self,
        pattern: str,
        *,
        format: str,  # noqa: A002 - the field's name
        severity: str,
        signature_id: bytes | None = None,
    ) -> bytes:
        """Have an attack signature shared, and return its id.

        Args:
            pattern: 2,048 bytes of UTF-8 at most; public for ever.
            format: one of `caregrid.chain.SignatureFormat`.
            severity: one of `caregrid.chain.Severity`.
            signature_id: 16 bytes to know it by again; drawn by the sidecar unless given.

        Raises:
            InputInvalid, QueueFull, ScopeMissing: as `share_block`.
        """
        wish = {"pattern": pattern, "format": format, "severity": severity}
        named = {} if signature_id is None else {"id": signature_id.hex()}
        return await self._told("signatures", wish | named, lambda answer: bytes.fromhex(answer["signature"]))

    async def withdraw_signature(self, signature_id: bytes) -> bool:
        """Have a signature withdrawn; return whether there was anything to withdraw. Raises as above."""
        wish = {"id": signature_id.hex()}
        return await self._told("retirements", wish, lambda answer: bool(answer["changed"]))

    async def _told(self, resource: str, wish: dict[str, Any], read: Callable[[Any], T]) -> T:
        answer = await self.transport.json("POST", f"/v1/threats/{resource}", body=wish)
        try:
            return read(answer)
        except (KeyError, TypeError, ValueError) as exc:
            raise ProtocolViolation("the sidecar's answer is not of a form that this version knows") from exc
