"""Bad input over the wire: what a careless or hostile client could send past every check in Python."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Final

import pytest

from caregrid.chain import Call, HealthReport, SubstrateSubmitter, calls, flights
from caregrid.chain.blocks import extrinsic_hash
from caregrid.chain.limits import MAX_BATCH, MAX_EMERGENCY_MEMBERS, MAX_OPERATORS, MAX_PATTERN_LEN
from caregrid.chain.refusals import pool
from caregrid.errors import CallRejected, InputInvalid
from tests.acceptance.outsider.scale import compact
from tests.contract.chain_world import NODE_ONLY, ONE_LOOP, new_id, new_object, new_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from caregrid.chain import Receipt
    from tests.contract.chain_world import World

pytestmark = ONE_LOOP

ACCOUNT: Final = "0x" + bytes(32).hex()
RECORD: Final = "0x" + bytes(16).hex()


def emr_call(function: str, **params: Any) -> Call:
    """Return a call past the builders' checks."""
    return Call(pallet="Emr", function=function, params=params)


def over_bound(world: World) -> list[Call]:
    """Return every call with a bounded parameter, each one over its bound."""
    organisation, entry = world.account("hospital"), new_object()
    batch = calls.store_emr_batch(organisation, entry, [new_record(new_id())]).params
    health = calls.report_storage_health(
        organisation, [HealthReport(object_id=new_id(), health=1, replicas=1, nodes=1)]
    ).params
    integrity = {
        "object": ACCOUNT,
        "scheme": "Private",
        "outcome": "Passed",
        "challenged_at": 1,
        "proof_digest": ACCOUNT,
    }
    scope = {"Record": RECORD}
    delivery = {"scope": scope, "grantee": ACCOUNT, "key": "Pending"}
    long_key = {"Inline": {"wrapped": "0x" + bytes(1169).hex(), "key_version": 1}}
    hospital = "0x" + organisation.hex()
    signature = calls.register_signature(
        organisation, new_id(16), format="Yara", severity="Low", pattern=b"x"
    ).params
    many = MAX_BATCH + 1
    return [
        emr_call("register_organisation", operators=accounts(MAX_OPERATORS + 1)),
        emr_call("set_operators", operators=accounts(MAX_OPERATORS + 1)),
        emr_call("set_emergency_members", members=accounts(MAX_EMERGENCY_MEMBERS + 1)),
        emr_call("register_patients", organisation=hospital, patients=[(ACCOUNT, None)] * many),
        emr_call("store_emr_batch", **{**batch, "records": [*batch["records"]] * many}),
        emr_call("deliver_keys", organisation=hospital, keys=[delivery] * many),
        emr_call("deliver_keys", organisation=hospital, keys=[{**delivery, "key": long_key}]),
        emr_call(
            "grant_access", scope=scope, grantee=ACCOUNT, expires_at=9, purpose="Treatment", key=long_key
        ),
        emr_call("report_storage_health", **{**health, "reports": [*health["reports"]] * many}),
        emr_call(
            "report_storage_health", **{**health, "reports": [{**health["reports"][0], "health": 1_000_001}]}
        ),
        emr_call("report_integrity", organisation=hospital, reports=[integrity] * many),
        emr_call("purge_expired", items=[{"Request": (RECORD, ACCOUNT)}] * many),
        Call(
            pallet="Threats",
            function="register_signature",
            params={**signature, "pattern": "0x" + bytes(MAX_PATTERN_LEN + 1).hex()},
        ),
    ]


def accounts(count: int) -> list[str]:
    """Return as many different accounts, as a call's parameter."""
    return ["0x" + number.to_bytes(32, "big").hex() for number in range(count)]


async def test_what_is_over_its_bound_is_not_decoded(world: World) -> None:
    """A list, a text or a number over its bound is refused before any block; nothing changes."""
    wanted = over_bound(world)
    before = await world.chain.organisation(world.account("hospital"))
    outcomes = await world.outcomes("hospital", *wanted)
    assert [pool.Undecodable] * len(wanted) == [type(outcome) for outcome in outcomes]
    inner = calls.batch_all([calls.set_operators([]), wanted[1]])
    [outcome] = await world.outcomes("hospital", inner)
    assert isinstance(outcome, pool.Undecodable)
    assert before == await world.chain.organisation(world.account("hospital"))


@NODE_ONLY
async def test_an_account_without_tokens_is_told_so(world: World) -> None:
    """Before any block; and one that has enough for the fee alone, when the deposit is due."""
    world.newcomer("penniless")
    [outcome] = await world.outcomes("penniless", calls.register_organisation([]))
    assert isinstance(outcome, pool.FeeUnpayable)
    await world.submit("funder", calls.transfer(world.account("penniless"), 10 * 10**9))
    [outcome] = await world.outcomes("penniless", calls.register_organisation([]))
    assert isinstance(outcome, CallRejected)
    assert ("System", "Token.FundsUnavailable") == (outcome.pallet, outcome.name)
    assert await world.chain.organisation(world.account("penniless")) is None


@NODE_ONLY
async def test_a_call_that_the_metadata_does_not_know_is_not_signed(world: World) -> None:
    """No such call, a missing field, a wrong length, an unknown name: typed; the next call goes through."""
    good = calls.register_patient(world.account("hospital"), new_id())
    outcomes = await world.outcomes(
        "operator",
        emr_call("cure_everybody"),
        Call(pallet="Alchemy", function="transmute"),
        emr_call("register_patient", **{**good.params, "patient": RECORD}),
        emr_call("register_patient", organisation=good.params["organisation"]),
        emr_call("open_emergency_access", scope={"Everything": RECORD}, reason="ThreatToLife"),
        good,
    )
    assert [InputInvalid] * 5 == [type(outcome) for outcome in outcomes[:5]]
    assert not isinstance(outcomes[5], Exception)


@NODE_ONLY
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda call: call[:-1], id="a missing byte"),
        pytest.param(lambda call: call[: 2 + 32], id="a missing field"),
        pytest.param(lambda call: call[:2], id="no field at all"),
        pytest.param(lambda call: call + b"\x00", id="a byte too many"),
        pytest.param(lambda call: call[:1] + b"\xff" + call[2:], id="no such call"),
        pytest.param(lambda call: b"\xff" + call[1:], id="no such pallet"),
        pytest.param(lambda call: call[:-1] + b"\x02", id="neither none nor some"),
    ],
)
async def test_a_call_in_another_encoding_is_refused(world: World, spoil: Callable[[bytes], bytes]) -> None:
    """Rightly signed, but not what this runtime's calls look like: not decoded, and nothing changes."""
    patient = new_id()
    encoded = b"\x14\x02" + world.account("hospital") + patient + b"\x00"
    outcome = await send(world, spoil(encoded))
    assert isinstance(outcome, pool.Undecodable)
    assert await world.chain.patient(patient) is None


@NODE_ONLY
@pytest.mark.parametrize("old", ["spec_version", "transaction_version"])
async def test_a_call_for_an_earlier_runtime_is_refused(world: World, old: str) -> None:
    """Whoever signed for another version did not mean this one's calls: the signature does not fit."""
    patient = new_id()
    encoded = b"\x14\x02" + world.account("hospital") + patient + b"\x00"
    outcome = await send(world, encoded, **{old: -1})
    assert isinstance(outcome, pool.BadSignature)
    assert await world.chain.patient(patient) is None
    # The same bytes for this runtime are a call like any other.
    assert not isinstance(await send(world, encoded), Exception)
    assert await world.chain.patient(patient) is not None


async def send(world: World, call: bytes, **changed: int) -> Receipt | Exception:
    """Sign an encoded call as the operator, for a changed version if told so, and see what comes of it."""
    submitter = world.submitter("operator")
    assert isinstance(submitter, SubstrateSubmitter)
    submitter._nonce = None
    signed = await submitter._connection.run(lambda client: sign(client, submitter, call, changed))
    try:
        await submitter._connection.run(lambda client: flights.offer(client, signed.raw))
    except flights.SignAnew as old:
        return old.refusal
    except CallRejected as refusal:
        return refusal
    [outcome] = await submitter._wait([flights.Flight(call=Call(pallet="", function=""), tries=[signed])])
    submitter._nonce = None
    return outcome


def sign(client: Any, submitter: SubstrateSubmitter, call: bytes, changed: dict[str, int]) -> flights.Signed:
    """Return a signed extrinsic, put together by hand."""
    born = client.get_block_number(client.get_chain_finalised_head())
    nonce = flights.next_nonce(client, submitter.account)
    birth = bytes.fromhex(client.get_block_hash(born)[2:])
    genesis = bytes.fromhex(client.get_block_hash(0)[2:])
    era = (((born % 64) << 4) + 5).to_bytes(2, "little")
    # Era, nonce, tip, no metadata hash; what is signed besides: versions, chain, birth, no metadata hash.
    extra = era + compact(nonce) + compact(0) + b"\x00"
    spec = client.runtime_version + changed.get("spec_version", 0)
    transaction = client.transaction_version + changed.get("transaction_version", 0)
    versions = spec.to_bytes(4, "little") + transaction.to_bytes(4, "little")
    payload = call + extra + versions + genesis + birth + b"\x00"
    if len(payload) > 256:
        payload = hashlib.blake2b(payload, digest_size=32).digest()
    signature = submitter._sign(payload)
    body = b"\x84\x00" + submitter.account + b"\x01" + signature + extra + call
    raw = compact(len(body)) + body
    return flights.Signed(raw=raw, hash=extrinsic_hash(raw), nonce=nonce, spec=spec, born=born)


@NODE_ONLY
async def test_noise_is_refused(world: World) -> None:
    """Bytes that are no extrinsic at all are typed refusals as well."""
    submitter = world.submitter("operator")
    assert isinstance(submitter, SubstrateSubmitter)
    for noise in (b"", b"\x00", secrets.token_bytes(200), compact(100) + bytes(100)):
        with pytest.raises(CallRejected):
            await submitter._connection.run(lambda client, raw=noise: flights.offer(client, raw))  # type: ignore[misc] # mypy cannot infer a lambda with a default
