"""Calls on their way to the chain: signing them, offering them to a pool, and what is known of each."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from caregrid.chain import rejections, signing
from caregrid.chain.blocks import extrinsic_hash
from caregrid.chain.exclusion import CODEC
from caregrid.chain.signing import ERA_PERIOD, Frame
from caregrid.errors import CaregridError, ChainUnreachable, InputInvalid, KeyStoreLocked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from caregrid.chain.port import BlockRef, Call, Receipt
    from caregrid.errors import CallRejected


class SignAnew(Exception):
    """What was signed is old: the nonce, the era, or the runtime's version."""

    def __init__(self, refusal: CallRejected) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class PoolFull(Exception):
    """The node has no room now."""


class Unheard(Exception):
    """The node's answer does not tell whether it has the extrinsic."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """One extrinsic."""

    raw: bytes
    hash: bytes
    nonce: int
    spec: int  #: version of the runtime that it was signed for
    born: int  #: finalized height at signing; inclusion can only be above it

    @property
    def last(self) -> int:
        """The last block that can include it."""
        return self.born + ERA_PERIOD


@dataclass(kw_only=True, slots=True, eq=False)
class Flight:
    """One call, and every extrinsic that was ever signed for it: any of them may have arrived."""

    call: Call
    tries: list[Signed] = field(default_factory=list)
    refused: set[bytes] = field(default_factory=set)  #: hashes of tries that no pool has
    refusals: int = 0  #: how often it was signed in vain
    offered_at: int = 0  #: finalized height when it was last given to a node
    offered_when: float = 0.0  #: by the monotonic clock, then
    breaks: int = 0  #: of the connection, then
    outcome: Receipt | Exception | None = None

    def offered(self, height: int, breaks: int) -> None:
        """Note that a node has just been given it."""
        self.offered_at, self.offered_when, self.breaks = height, time.monotonic(), breaks

    @property
    def last(self) -> int:
        """The last block that can include any of its extrinsics."""
        return max(one.last for one in self.tries)

    @property
    def live(self) -> list[Signed]:
        """Those of its extrinsics that a pool may have."""
        return [one for one in self.tries if one.hash not in self.refused]

    def is_dead(self, progress: Progress) -> bool:
        """Tell whether no later block can include it: its nonces are used up, or its runtime is replaced."""
        return all(one.nonce < progress.nonce or one.spec < progress.spec for one in self.live)

    def leaves_gap(self, progress: Progress) -> bool:
        """Tell whether it is dead, and its nonce still to be used."""
        return self.is_dead(progress) and any(one.nonce >= progress.nonce for one in self.tries)


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far the chain is, from an account's view."""

    head: BlockRef  #: the last finalized block
    nonce: int  #: of the account, in its state
    spec: int  #: version of the runtime, in its state


def progress(client: Any, account: bytes, before: Progress | None) -> Progress:
    """Return how far the chain is; `before` spares asking when nothing is new."""
    head = client.final_head()
    if before is not None and before.head == head:
        return before
    at = "0x" + head.hash.hex()
    return Progress(head=head, nonce=_nonce_at(client, account, at), spec=client.version_at(at).spec)


def prepare(
    client: Any, account: bytes, sign: Callable[[bytes], bytes], calls: Sequence[Call], nonce: int | None
) -> list[Signed | CaregridError]:
    """Sign calls with successive nonces, for the runtime that will execute the next block.

    Args:
        client: to whom the account's calls go.
        account: who signs.
        sign: see `signing.signed`.
        calls: what to sign; one that cannot be encoded yields its error and takes no nonce.
        nonce: the first one; None asks the node, which counts what is in its pool.

    Raises:
        ChainUnreachable: the chain does not finalize; what is signed now would never be.
    """
    frame = _frame(client)
    nonce = next_nonce(client, account) if nonce is None else nonce
    prepared: list[Signed | CaregridError] = []
    for call in calls:
        try:
            encoded = encode(client, call)
        except InputInvalid as exc:
            prepared.append(exc)
            continue
        # A signature may come from afar.
        with CODEC.given_up():
            raw = signing.signed(frame, encoded, nonce, account, _guarded(sign))
        prepared.append(
            Signed(raw=raw, hash=extrinsic_hash(raw), nonce=nonce, spec=frame.version.spec, born=frame.born)
        )
        nonce += 1
    return prepared


def encode(client: Any, call: Call) -> bytes:
    """Return an encoded call.

    Raises:
        InputInvalid: the runtime has no such call.
    """
    try:
        return bytes(client.compose_call(call.pallet, call.function, dict(call.params)).data.data)
    except (ValueError, KeyError, TypeError, NotImplementedError) as exc:
        raise InputInvalid(f"this chain has no call {call.pallet}.{call.function} of that form") from exc


def next_nonce(client: Any, account: bytes) -> int:
    """Return the node's count of an account's calls, those in its pool included."""
    from scalecodec.utils.ss58 import ss58_encode  # noqa: PLC0415 - only with the adapter

    return int(client.rpc_request("system_accountNextIndex", [ss58_encode(account, 42)])["result"])


def free_nonce(client: Any, account: bytes, taken: Collection[int]) -> int:
    """Return the first nonce that neither the best block's state nor a call of ours has used.

    The node's own count may include what was signed for a runtime that was replaced, until its pool notices:
    whatever came behind that would wait for ever.
    """
    nonce = _nonce_at(client, account, client.get_chain_head())
    while nonce in taken:
        nonce += 1
    return nonce


def _nonce_at(client: Any, account: bytes, at: str) -> int:
    asked = ["AccountNonceApi_account_nonce", "0x" + account.hex(), at]
    return int.from_bytes(bytes.fromhex(client.rpc_request("state_call", asked)["result"][2:]), "little")


def offer(client: Any, raw: bytes) -> None:
    """Give an extrinsic to the node's pool.

    Raises:
        SignAnew: it is old.
        PoolFull: it would be welcome later.
        Unheard: the node failed; it may have it all the same.
        CallRejected: the pool will not have it.
    """
    from substrateinterface.exceptions import SubstrateRequestException  # noqa: PLC0415 - only with the adapter

    try:
        client.rpc_request("author_submitExtrinsic", ["0x" + raw.hex()])
    except SubstrateRequestException as exc:
        code, text = _said(exc.args[0])
        if code in rejections.MAYBE_OURS:
            return
        if code == rejections.POOL_FULL:
            raise PoolFull from exc
        if code not in rejections.VERDICTS:
            raise Unheard from exc
        refusal = rejections.pool_refusal(code, text)
        raise (SignAnew(refusal) if rejections.may_be_signed_anew(code, text) else refusal) from exc


def offer_again(client: Any, raws: Iterable[bytes]) -> None:
    """Give extrinsics to the node once more: the very same bytes, which the chain takes once at most.

    What the node says of them does not matter; what blocks hold does.
    """
    for raw in raws:
        try:
            offer(client, raw)
        except (SignAnew, PoolFull, Unheard, CaregridError):
            continue


def _frame(client: Any) -> Frame:
    best = client.get_chain_head()
    runtime = client.use_runtime_at(best)
    born = client.final_head()
    waiting = int(client.header(best)["number"], 16) - born.number
    if waiting >= ERA_PERIOD // 2:
        raise ChainUnreachable(f"{waiting} blocks are not final yet; nothing is sent until they are")
    return Frame(
        version=runtime.version,
        genesis=bytes.fromhex(client.genesis[2:]),
        born=born.number,
        birth_hash=born.hash,
        extensions=runtime.extensions,
    )


def _guarded(sign: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def guarded(payload: bytes) -> bytes:
        try:
            return sign(payload)
        except CaregridError:
            raise
        except Exception as exc:
            # Else a signer's OSError would pass for a broken connection.
            raise KeyStoreLocked("the key store did not sign; check that it is open") from exc

    return guarded


def _said(error: Any) -> tuple[int, str]:
    if not isinstance(error, dict):
        return 0, str(error)
    return int(error.get("code", 0)), f"{error.get('message', '')}: {error.get('data', '')}"
