"""What accounts do besides: pay, act through others, and do several things at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.port import Call, Event
from caregrid.errors import CallRejected
from caregrid.testing.rules.state import from_hex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from caregrid.testing.rules.state import State

    Run = Callable[[State, bytes, Call, int], list[Event]]

#: What the runtime lets a `Worker` proxy do, besides all of pallet-threats.
WORKER_CALLS: Final = frozenset(
    {
        "register_patient",
        "register_patients",
        "store_emr",
        "store_emr_batch",
        "deliver_keys",
        "report_storage_health",
        "report_integrity",
        "purge_expired",
        "commit_proof",
    }
)


def transfer(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Balances.transfer_keep_alive`."""
    target, value = from_hex(params["dest"]["Id"]), params["value"]
    if state.balances.get(signer, 0) < value:
        raise CallRejected(pallet="System", name="Token.FundsUnavailable")
    state.balances[signer] -= value
    state.balances[target] = state.balances.get(target, 0) + value
    return [Event(pallet="Balances", name="Transfer", fields={"from": signer, "to": target, "amount": value})]


def batch_all(run: Run, state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Utility.batch_all`: every call on a copy, which is kept only when none was refused."""
    trial = state.copy()
    events = [event for inner in params["calls"] for event in run(trial, signer, _inner(inner), block)]
    state.become(trial)
    return events


def add_proxy(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Proxy.add_proxy`; one kind for each delegate."""
    delegate = from_hex(params["delegate"]["Id"])
    _ensure(delegate != signer, "NoSelfProxy")
    _ensure((signer, delegate) not in state.proxies, "Duplicate")
    state.proxies[signer, delegate] = params["proxy_type"]
    return [_proxy_event("ProxyAdded", signer, delegate, params)]


def remove_proxy(state: State, signer: bytes, params: Mapping[str, Any], _block: int) -> list[Event]:
    """`Proxy.remove_proxy`."""
    delegate = from_hex(params["delegate"]["Id"])
    _ensure(state.proxies.get((signer, delegate)) == params["proxy_type"], "NotFound")
    del state.proxies[signer, delegate]
    return [_proxy_event("ProxyRemoved", signer, delegate, params)]


def proxy(run: Run, state: State, signer: bytes, params: Mapping[str, Any], block: int) -> list[Event]:
    """`Proxy.proxy`; the client takes a refused inner call for a refusal, and so does this."""
    real, inner = from_hex(params["real"]["Id"]), _inner(params["call"])
    kind = state.proxies.get((real, signer))
    _ensure(kind is not None, "NotProxy")
    worker_may = inner.pallet == "Threats" or (inner.pallet == "Emr" and inner.function in WORKER_CALLS)
    if kind == "Worker" and not worker_may:
        raise CallRejected(pallet="System", name="CallFiltered")
    events = run(state, real, inner, block)
    return [*events, Event(pallet="Proxy", name="ProxyExecuted", fields={"result": "Ok"})]


def _inner(call: Mapping[str, Any]) -> Call:
    return Call(pallet=call["call_module"], function=call["call_function"], params=call["call_args"])


def _ensure(condition: object, name: str) -> None:
    if not condition:
        raise CallRejected(pallet="Proxy", name=name)


def _proxy_event(name: str, delegator: bytes, delegatee: bytes, params: Mapping[str, Any]) -> Event:
    fields = {"delegator": delegator, "delegatee": delegatee}
    kind = {"proxy_type": params["proxy_type"], "delay": params["delay"]}
    return Event(pallet="Proxy", name=name, fields={**fields, **kind})
