"""What it means when the chain refuses a call: dispatch errors by name, pool errors by code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from caregrid import errors
from caregrid.chain import refusals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.chain.port import Event

#: The pool has the extrinsic, or had it a moment ago: it may well be ours.
MAYBE_OURS: Final = frozenset({1012, 1013})
#: The pool has no room; the extrinsic was the least of all.
POOL_FULL: Final = 1016
#: The nonce is taken by another extrinsic in the pool.
NONCE_TAKEN: Final = 1014
#: Invalid transaction; the text says why.
INVALID: Final = 1010
#: The node, or the runtime in it, could not make sense of the bytes.
UNDECODABLE: Final = frozenset({1001, 1002})
#: Codes by which a node says that it does not have the extrinsic: the pool's own, and JSON-RPC's for a
#: question that it does not know. Any other may hide that it went through.
VERDICTS: Final = frozenset({*range(1000, 1100), -32601, -32602})

#: What an invalid transaction's text means. Ours are mended by signing anew.
_OLD: Final[Mapping[str, type[refusals.Refusal]]] = {
    "bad signature": refusals.pool.BadSignature,
    "bad proof": refusals.pool.BadSignature,
    "ancient birth block": refusals.pool.EraEnded,
    "outdated": refusals.pool.NonceTaken,
    "will be valid in the future": refusals.pool.NonceTaken,
}


def rejection(events: Sequence[Event], metadata: Any) -> errors.CallRejected | None:
    """Return why an extrinsic failed, from its events, or None when it and all inner calls succeeded.

    `utility.batch` and `proxy` report success though an inner call failed; their inner results count.
    """
    for event in events:
        failure = _failure(event)
        if failure is not None:
            return _explain(failure, metadata)
    return None


def _failure(event: Event) -> Any | None:
    match (event.pallet, event.name):
        case ("System", "ExtrinsicFailed"):
            return event.fields["dispatch_error"]
        case ("Utility", "ItemFailed" | "BatchInterrupted"):
            return event.fields["error"]
        case (
            ("Proxy", "ProxyExecuted")
            | ("Multisig", "MultisigExecuted")
            | ("Sudo", "Sudid" | "SudoAsDone")
            | ("Utility", "DispatchedAs")
        ):
            result = event.fields.get("result", event.fields.get("sudo_result"))
            return result["Err"] if isinstance(result, dict) and "Err" in result else None
    return None


def _explain(failure: Any, metadata: Any) -> errors.CallRejected:
    if not isinstance(failure, dict) or "Module" not in failure:
        return errors.CallRejected(pallet="System", name=_flat(failure))
    index, number = failure["Module"]["index"], failure["Module"]["error"][0]
    known = metadata.get_module_error(module_index=index, error_index=number)
    pallet = next((item.value["name"] for item in metadata.pallets if item.value["index"] == index), "?")
    return refusals.refusal(pallet, known.name, " ".join(known.docs).strip())


def _flat(failure: Any) -> str:
    if isinstance(failure, dict):
        return ".".join(f"{name}.{_flat(value)}" for name, value in failure.items())
    return str(failure)


def may_be_signed_anew(code: int, text: str) -> bool:
    """Tell whether a pool error means that our nonce, era or runtime version is old."""
    return _old(code, text) is not None


def pool_refusal(code: int, text: str) -> errors.CallRejected:
    """Return the error for an extrinsic that the pool would not take."""
    old = _old(code, text)
    if old is not None:
        return old()
    if code == INVALID and "pay" in text.lower():
        return refusals.pool.FeeUnpayable()
    if code in UNDECODABLE:
        return refusals.pool.Undecodable()
    return errors.CallRejected(pallet=refusals.pool.PoolRefusal.PALLET, name=str(code), docs=text)


def _old(code: int, text: str) -> type[refusals.Refusal] | None:
    if code == NONCE_TAKEN:
        return refusals.pool.NonceTaken
    found = (kind for word, kind in _OLD.items() if word in text.lower())
    return next(found, None) if code == INVALID else None
