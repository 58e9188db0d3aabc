"""What it means when the chain refuses a call: dispatch errors by name, pool errors by code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from caregrid import errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Errors of `pallet-emr` that have an exception of their own.
_BY_NAME: Final[Mapping[str, type[errors.CaregridError]]] = {
    "RecordUnknown": errors.RecordUnknown,
    "PatientUnknown": errors.PatientUnknown,
    "GrantUnknown": errors.NoGrant,
    "NoEncryptionKey": errors.NoEncryptionKey,
}

#: The pool has the extrinsic, or had it a moment ago: it may well be ours.
MAYBE_OURS: Final = frozenset({1012, 1013})
#: The nonce is taken by another extrinsic in the pool.
NONCE_TAKEN: Final = 1014
#: Invalid transaction; the text says why.
INVALID: Final = 1010


def rejection(events: Sequence[Mapping[str, Any]], metadata: Any) -> errors.CaregridError | None:
    """Return why an extrinsic failed, from its events, or None when it and all inner calls succeeded.

    `utility.batch` and `proxy` report success though an inner call failed; their inner results count.
    """
    for event in events:
        failure = _failure(event)
        if failure is not None:
            return _explain(failure, metadata)
    return None


def _failure(event: Mapping[str, Any]) -> Any | None:
    fields = event["attributes"]
    match (event["module_id"], event["event_id"]):
        case ("System", "ExtrinsicFailed"):
            return fields["dispatch_error"]
        case ("Utility", "ItemFailed" | "BatchInterrupted"):
            return fields["error"]
        case ("Proxy", "ProxyExecuted") | ("Multisig", "MultisigExecuted") | ("Sudo", "Sudid"):
            result = fields.get("result", fields.get("sudo_result"))
            return result["Err"] if isinstance(result, dict) and "Err" in result else None
    return None


def _explain(failure: Any, metadata: Any) -> errors.CaregridError:
    if not isinstance(failure, dict) or "Module" not in failure:
        return errors.CallRejected(pallet="System", name=_flat(failure))
    index, code = failure["Module"]["index"], failure["Module"]["error"]
    number = bytes.fromhex(code[2:])[0] if isinstance(code, str) else int(code)
    known = metadata.get_module_error(module_index=index, error_index=number)
    pallet = next((item.value["name"] for item in metadata.pallets if item.value["index"] == index), "?")
    if pallet == "Emr" and known.name in _BY_NAME:
        return _BY_NAME[known.name]()
    return errors.CallRejected(pallet=pallet, name=known.name, docs=" ".join(known.docs).strip())


def _flat(failure: Any) -> str:
    if isinstance(failure, dict):
        return ".".join(f"{name}.{_flat(value)}" for name, value in failure.items())
    return str(failure)


def nonce_is_off(code: int, text: str) -> bool:
    """Tell whether a pool error means that our count of nonces, or the signed runtime version, is old."""
    stale = ("outdated", "bad signature", "will be valid in the future", "bad proof")
    return code == NONCE_TAKEN or (code == INVALID and any(word in text.lower() for word in stale))


def pool_refusal(code: int, text: str) -> errors.CaregridError:
    """Return the error for an extrinsic that the pool would not take."""
    if code == INVALID and "pay" in text.lower():
        return errors.CallRejected(
            pallet="TransactionPayment",
            name="Payment",
            docs="the account cannot pay the fee; transfer tokens to it",
        )
    return errors.CallRejected(pallet="TransactionPool", name=str(code), docs=text)
