"""What accounts do besides: pay, act through others, and do several things at once."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from caregrid.chain.calls import params
from caregrid.chain.port import Call
from caregrid.errors import InputInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence


class ProxyType(StrEnum):
    """What a proxy may do."""

    ANY = "Any"
    WORKER = "Worker"  #: what a sidecar does; neither operators nor balances


def transfer(target: bytes, plancks: int) -> Call:
    """Transfer tokens, keeping the signer's account alive."""
    return Call(
        pallet="Balances",
        function="transfer_keep_alive",
        params={"dest": _address("target", target), "value": params.unsigned("plancks", plancks, 128)},
    )


def batch_all(calls: Sequence[Call]) -> Call:
    """Make several calls at once, all of them or none."""
    if not calls:
        raise InputInvalid("a batch needs at least one call")
    return Call(pallet="Utility", function="batch_all", params={"calls": [_inner(call) for call in calls]})


def add_proxy(delegate: bytes, kind: str = ProxyType.WORKER) -> Call:
    """Let `delegate` act for the signer; a worker's key needs no more than the default."""
    return Call(pallet="Proxy", function="add_proxy", params=_proxy(delegate, kind))


def remove_proxy(delegate: bytes, kind: str = ProxyType.WORKER) -> Call:
    """Let `delegate` act for the signer no more."""
    return Call(pallet="Proxy", function="remove_proxy", params=_proxy(delegate, kind))


def proxy(real: bytes, call: Call) -> Call:
    """Make a call as `real`, whose proxy the signer is."""
    return Call(
        pallet="Proxy",
        function="proxy",
        params={"real": _address("real", real), "force_proxy_type": None, "call": _inner(call)},
    )


def _proxy(delegate: bytes, kind: str) -> dict[str, Any]:
    return {
        "delegate": _address("delegate", delegate),
        "proxy_type": params.one_of("kind", ProxyType, kind),
        "delay": 0,
    }


def _address(name: str, account: bytes) -> dict[str, str]:
    return {"Id": params.account(name, account)}


def _inner(call: Call) -> dict[str, Any]:
    return {"call_module": call.pallet, "call_function": call.function, "call_args": dict(call.params)}
