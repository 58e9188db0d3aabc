"""Having records sealed anew under another data key, as after a withdrawal, by their custodian's sidecar."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import NotYetAnchored, ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.transport import Transport

_LOOK_S: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ResealStatus:
    """How far the sealing anew of a record is."""

    record_id: bytes
    done: bool  #: the new key is the only one, and the chain has the new bytes
    asked_at: int  #: milliseconds since 1970
    done_at: int | None  #: likewise
    waits_for: str | None  #: the code of what the last attempt failed with


class ResealClient:
    """What a client of a sidecar can do to have records sealed anew."""

    transport: Transport

    async def reseal(self, record_id: bytes) -> ResealStatus:
        """Have a record sealed under another data key; asking again while it waits changes nothing.

        Raises:
            RecordUnknown, RecordErased: this custodian has no such record, or has it no more.
            ScopeMissing, AccessRefused: the caller may not have it done.
        """
        return _status(await self.transport.json("POST", _path(record_id)))

    async def reseal_status(self, record_id: bytes) -> ResealStatus:
        """Return how far it is.

        Raises:
            NotFound: nobody asked for it, or it was long ago.
        """
        return _status(await self.transport.json("GET", _path(record_id)))

    async def wait_resealed(self, record_id: bytes, *, timeout_s: float) -> ResealStatus:
        """Return how far it is once it is done.

        Raises:
            NotYetAnchored: it is not; the sidecar goes on by itself.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    found = await self.reseal_status(record_id)
                    if found.done:
                        return found
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise NotYetAnchored(
                "the record is not sealed anew yet; the sidecar goes on by itself: "
                f"caregrid emr reseal {record_id.hex()} tells how far it is"
            ) from None


def _path(record_id: bytes) -> str:
    return f"/v1/records/{record_id.hex()}/reseal"


def _status(answer: Mapping[str, Any]) -> ResealStatus:
    try:
        return ResealStatus(
            record_id=bytes.fromhex(answer["record"]),
            done=answer["state"] == "done",
            asked_at=int(answer["asked"]),
            done_at=None if answer["done"] is None else int(answer["done"]),
            waits_for=answer["waits_for"],
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise ProtocolViolation("the sidecar's answer is not of a form that this version knows") from exc
