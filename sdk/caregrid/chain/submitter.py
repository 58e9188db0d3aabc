"""Signs and submits calls for one account and waits for finality.

Nothing is trusted to the library's watch loop. An extrinsic is sent, then looked for by hash in finalized
blocks, by number, until its mortal era has ended. So pool statuses, forks and lost connections need no
cases of their own: what stands in a finalized block has happened, and what does not by the end of its era
never will.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain import blocks, rejections
from caregrid.chain.blocks import ExtrinsicIndex, extrinsic_hash
from caregrid.chain.connection import Connection
from caregrid.chain.port import Receipt, Submitter
from caregrid.chain.refusals.pool import NonceTaken
from caregrid.errors import CaregridError, ChainTimeout, ChainUnreachable, InputInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from caregrid.chain.port import Call
    from caregrid.errors import CallRejected

#: Blocks an extrinsic stays valid: 128 seconds. A power of two (RFC of mortal eras, `sp_runtime::Era`).
ERA_PERIOD: Final = 64
#: An era and a margin for finality to catch up.
FINALITY_TIMEOUT_S: Final = 180.0
#: A nonce that was off is counted anew and the call signed again; more often than this is no accident.
MAX_SIGNINGS: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sent:
    hash: bytes
    born: int  #: finalized height at signing; inclusion can only be above it
    last: int  #: the last block that can include it


class _SignAnew(Exception):
    """What was signed is old: the nonce, the era, or the runtime's version."""

    def __init__(self, refusal: CallRejected) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class SubstrateSubmitter(Submitter):
    """One per key and process: it alone counts the account's nonces."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        account: bytes,
        sign: Callable[[bytes], bytes],
        genesis: bytes | None = None,
    ) -> None:
        """Remember who signs.

        Args:
            urls: as for :class:`~caregrid.chain.connection.Connection`.
            account: the sr25519 public key, 32 bytes.
            sign: returns the 64-byte sr25519 signature of a payload (context `substrate`).
            genesis: as for :class:`~caregrid.chain.connection.Connection`.
        """
        self.account = account
        self._sign = sign
        self._connection = Connection(urls, genesis=genesis)
        self._index = ExtrinsicIndex()
        self._sending = asyncio.Lock()
        self._nonce: int | None = None

    async def submit(self, call: Call) -> Receipt:
        """Sign, submit, and wait until the call is in a finalized block."""
        result = (await self.submit_many([call]))[0]
        if isinstance(result, Exception):
            raise result
        return result

    async def submit_many(self, calls: Iterable[Call]) -> list[Receipt | Exception]:
        """Submit several calls, pipelined; the results stand in the order of the calls."""
        async with self._sending:
            sent = [await self._send(call) for call in calls]
        return await self._wait(sent)

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close()

    async def _send(self, call: Call) -> _Sent | CaregridError:
        refusal: CaregridError = NonceTaken()
        for attempt in range(MAX_SIGNINGS):
            try:
                return await self._sign_and_send(call)
            except _SignAnew as old:
                refusal = old.refusal
                self._nonce = None
                await asyncio.sleep(attempt * blocks.POLL_INTERVAL_S)
            except CaregridError as error:
                self._nonce = None
                return error
        return refusal

    async def _sign_and_send(self, call: Call) -> _Sent:
        raw, sent = await self._connection.run(lambda client: self._signed(client, call))
        try:
            await self._connection.run(lambda client: _send_raw(client, raw), repeat=False)
        except ChainUnreachable:
            # The node may have it or not: the search in finalized blocks will tell.
            self._nonce = None
        return sent

    def _signed(self, client: Any, call: Call) -> tuple[bytes, _Sent]:
        _follow_upgrade(client)
        born = blocks.finalized_head(client).number
        nonce = self._next_nonce(client)
        composed = _composed(client, call)
        # A dict of its own each time: the library writes the birth block into it.
        payload = client.generate_signature_payload(composed, era=_era(born), nonce=nonce)
        extrinsic = client.create_signed_extrinsic(
            composed,
            _PublicKey(self.account),
            era=_era(born),
            nonce=nonce,
            signature=self._sign(bytes(payload.data)),
        )
        raw = bytes(extrinsic.data.data)
        # Only now: signing is repeated when the connection breaks in the middle of it.
        self._nonce = nonce + 1
        return raw, _Sent(hash=extrinsic_hash(raw), born=born, last=born + ERA_PERIOD)

    def _next_nonce(self, client: Any) -> int:
        if self._nonce is None:
            from scalecodec.utils.ss58 import ss58_encode  # noqa: PLC0415 - only with the adapter

            address = ss58_encode(self.account, 42)
            self._nonce = int(client.rpc_request("system_accountNextIndex", [address])["result"])
        return self._nonce

    async def _wait(self, sent: Sequence[_Sent | CaregridError]) -> list[Receipt | Exception]:
        results: dict[int, Receipt | Exception] = {
            index: one for index, one in enumerate(sent) if not isinstance(one, _Sent)
        }
        waiting = {one.hash: (index, one) for index, one in enumerate(sent) if isinstance(one, _Sent)}
        try:
            async with asyncio.timeout(FINALITY_TIMEOUT_S):
                async for found in self._finalized(waiting):
                    results |= found
        except TimeoutError:
            pass
        results |= {index: ChainTimeout() for index, _ in waiting.values()}
        return [results[index] for index in range(len(sent))]

    async def _finalized(self, waiting: dict[bytes, tuple[int, _Sent]]) -> Any:
        """Yield results as blocks become final, taking them out of `waiting`."""
        if not waiting:
            return
        number = min(one.born for _, one in waiting.values()) + 1
        while waiting:
            try:
                head = await self._connection.run(blocks.finalized_head)
                while waiting and number <= head.number:
                    yield await self._settle(waiting, number)
                    number += 1
            except ChainUnreachable:
                # Unknown is not failed: the search goes on until the deadline.
                head = None
            if waiting:
                await asyncio.sleep(blocks.POLL_INTERVAL_S)

    async def _settle(
        self, waiting: dict[bytes, tuple[int, _Sent]], number: int
    ) -> dict[int, Receipt | Exception]:
        executed = await self._connection.run(lambda client: self._index.find(client, number, set(waiting)))
        settled: dict[int, Receipt | Exception] = {}
        for one, result in executed.items():
            index, _ = waiting.pop(one)
            settled[index] = result.rejection or Receipt(
                block=result.block, extrinsic_hash=one, events=result.events
            )
        for one in [key for key, (_, sent) in waiting.items() if sent.last <= number]:
            index, _ = waiting.pop(one)
            settled[index] = ChainTimeout("the call was not included before its era ended; send it again")
        return settled


class _PublicKey:
    """What the library wants to know of a signer whose signature it is given."""

    crypto_type = 1  # sr25519 in MultiSignature

    def __init__(self, public_key: bytes) -> None:
        self.public_key = public_key


def _era(current: int) -> dict[str, int]:
    return {"period": ERA_PERIOD, "current": current}


def _composed(client: Any, call: Call) -> Any:
    try:
        return client.compose_call(call.pallet, call.function, dict(call.params))
    except (ValueError, KeyError, TypeError, NotImplementedError) as exc:
        raise InputInvalid(f"this chain has no call {call.pallet}.{call.function} of that form") from exc


def _follow_upgrade(client: Any) -> None:
    """Load the new runtime's metadata after an upgrade, before anything is signed with the old."""
    version = client.rpc_request("state_getRuntimeVersion", [])["result"]["specVersion"]
    if version != client.runtime_version:
        client.init_runtime()


def _send_raw(client: Any, raw: bytes) -> None:
    from substrateinterface.exceptions import SubstrateRequestException  # noqa: PLC0415 - only with the adapter

    try:
        client.rpc_request("author_submitExtrinsic", ["0x" + raw.hex()])
    except SubstrateRequestException as exc:
        error = exc.args[0]
        code = error.get("code", 0) if isinstance(error, dict) else 0
        text = (
            f"{error.get('message', '')}: {error.get('data', '')}" if isinstance(error, dict) else str(error)
        )
        if code in rejections.MAYBE_OURS:
            return
        refusal = rejections.pool_refusal(code, text)
        raise (_SignAnew(refusal) if rejections.may_be_signed_anew(code, text) else refusal) from exc
