"""Our own encoding and decoding beside the library's: extrinsics to the byte, events to the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from caregrid.chain import Event, SubstrateSubmitter, blocks, calls, flights, signing, values
from caregrid.errors import ProtocolViolation
from tests.contract.chain_world import NODE_ONLY, ONE_LOOP, new_id, new_object, new_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caregrid.chain import Call
    from tests.contract.chain_world import World

pytestmark = [ONE_LOOP, NODE_ONLY]

SIGNATURE: Final = bytes(range(64))
#: Compact numbers change their form at 64, 16,384 and 2**30.
NONCES: Final = (0, 63, 64, 16_383, 16_384, 2**30 - 1, 2**30, 2**32 - 1)


class _PublicKey:
    """What the library wants to know of a signer."""

    crypto_type = 1

    def __init__(self, public_key: bytes) -> None:
        self.public_key = public_key


async def test_extrinsics_are_the_librarys(world: World) -> None:
    """The payload that is signed and the extrinsic, for a short and a long call and every form of nonce."""
    submitter = world.submitter("operator")
    assert isinstance(submitter, SubstrateSubmitter)
    hospital, patient = world.account("hospital"), new_id()
    records = [new_record(patient) for _ in range(5)]
    wanted = [
        calls.register_patient(hospital, patient),
        calls.store_emr_batch(hospital, new_object(5), records),
    ]
    for call in wanted:
        for nonce in NONCES:
            theirs, ours = await submitter._connection.run(
                lambda client, call=call, nonce=nonce: _both(client, submitter.account, call, nonce)  # type: ignore[misc] # mypy cannot infer a lambda with a default
            )
            assert theirs == ours


def _both(client: Any, account: bytes, call: Call, nonce: int) -> tuple[Any, Any]:
    """Return payload and extrinsic, by the library and by us."""
    payloads: list[bytes] = []

    def sign(payload: bytes) -> bytes:
        payloads.append(payload)
        return SIGNATURE

    frame = flights._frame(client)
    raw = signing.signed(frame, flights.encode(client, call), nonce, account, sign)
    composed = client.compose_call(call.pallet, call.function, dict(call.params))
    era = {"period": signing.ERA_PERIOD, "current": frame.born}
    payload = client.generate_signature_payload(composed, era=dict(era), nonce=nonce)
    extrinsic = client.create_signed_extrinsic(
        composed, _PublicKey(account), era=dict(era), nonce=nonce, signature=SIGNATURE
    )
    return ([bytes(payload.data)], bytes(extrinsic.data.data)), (payloads, raw)


async def test_events_are_the_librarys(world: World) -> None:
    """Everything that happened here so far, of every pallet, comes out the same."""
    submitter = world.submitter("operator")
    assert isinstance(submitter, SubstrateSubmitter)
    patient = new_id()
    await world.submit("operator", calls.register_patient(world.account("hospital"), patient))
    await world.refused(("operator", calls.register_patient(world.account("hospital"), patient)))
    compared: set[str] = set()
    height = await world.height()
    for number in range(max(1, height - 200), height + 1):
        theirs, ours = await submitter._connection.run(
            lambda client, number=number: _events(client, number)  # type: ignore[misc] # as above
        )
        assert theirs == ours
        compared |= {f"{event.pallet}.{event.name}" for _, event in ours}
    assert {"System.ExtrinsicFailed", "Emr.PatientRegistered", "Balances.Deposit"} <= compared


def _events(client: Any, number: int) -> tuple[Any, Any]:
    block = blocks.block_at(client, number)
    decoded = client.get_events("0x" + block.hash.hex())
    theirs = [(one.value["extrinsic_idx"], _event(one.value)) for one in decoded]
    return theirs, blocks.decoded_events(client, block)


def _event(value: Mapping[str, Any]) -> Event:
    attributes = value["attributes"]
    named = attributes if isinstance(attributes, dict) else {"value": attributes}
    fields = {} if attributes is None else {name: _plain(field) for name, field in named.items()}
    return Event(pallet=value["module_id"], name=value["event_id"], fields=fields)


def _plain(value: Any) -> Any:
    """Return the library's value with hex and SS58 as bytes."""
    if isinstance(value, dict):
        return {name: _plain(field) for name, field in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str) and value.startswith("0x"):
        return values.to_bytes(value)
    if isinstance(value, str) and len(value) in {47, 48}:
        return values.to_account(value)
    return value


async def test_events_that_are_cut_or_lengthened_are_refused(world: World) -> None:
    """No error but ours, wherever the bytes end, and no value that was not there."""
    submitter = world.submitter("operator")
    assert isinstance(submitter, SubstrateSubmitter)
    [receipt] = await world.outcomes("operator", calls.register_patient(world.account("hospital"), new_id()))
    assert not isinstance(receipt, Exception)
    at = "0x" + receipt.block.hash.hex()

    def read(client: Any) -> tuple[Any, bytes]:
        client.init_runtime(at)
        answer = client.rpc_request("state_getStorage", [blocks._EVENTS_KEY, at])
        return client.runtime.events, values.to_bytes(answer["result"])

    decoder, encoded = await submitter._connection.run(read)
    assert decoder.decode(encoded)
    for nonsense in (*(encoded[:end] for end in range(len(encoded))), encoded + b"\x00", b"\xff" * 40):
        with pytest.raises(ProtocolViolation):
            decoder.decode(nonsense)
