"""Data keys go to accounts that may read now, wrapped to the keys that the chain has for them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from caregrid.chain import Escrowed, KeyDelivery, PatientScope, Pending, RecordScope, calls
from caregrid.keys import EncryptionKeyPair, Identity, unwrap_data_key
from caregrid.sealed import open_sealed
from ocw_sidecar.adapters.opening import QUEUE_FILE
from ocw_sidecar.adapters.sql.ledger import SqlLedger
from ocw_sidecar.callers.items import Scope
from ocw_sidecar.ledger.items import EscrowedKey
from ocw_sidecar.testing import OPERATOR, ORGANISATION, PATIENT
from tests.unit.sidecar.api.calls import OBSERVATION, confirmed, post, serving, token_for
from tests.unit.sidecar.api.signed import headers_for

if TYPE_CHECKING:
    from pathlib import Path

    from caregrid.chain.port import Scope as GrantScope
    from ocw_sidecar.settings import Settings
    from ocw_sidecar.testing import Rig
    from tests.unit.sidecar.api.calls import Client

READER = Identity.generate()


async def give_key(sidecar: Rig, account: bytes, pair: EncryptionKeyPair) -> None:
    """Register an encryption key on chain."""
    await sidecar.world.chain.submitter(account).submit(calls.set_encryption_key(pair.public_key))


async def grant(sidecar: Rig, scope: GrantScope, *, blocks: int = 1000) -> None:
    """Let the reader read; the organisation decides for the patient."""
    chain = sidecar.world.chain
    await give_key(sidecar, READER.account, READER.encryption)
    head = await chain.finalized_head()
    call = calls.grant_access(
        scope, READER.account, expires_at=head.number + blocks, purpose="Treatment", key=Pending()
    )
    await chain.submitter(ORGANISATION).submit(call)


async def ask(client: Client, record: str, body: dict[str, Any], **rest: Any) -> tuple[int, dict[str, Any]]:
    """Ask for a data key."""
    response = await client.post(f"/v1/records/{record}/key", data=json.dumps(body), headers=rest or JSON)
    return response.status, await response.json()


JSON = {"Content-Type": "application/json"}


async def ask_signed(client: Client, who: Identity, record: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Ask for a data key with a signature."""
    path, content = f"/v1/records/{record}/key", json.dumps(body).encode()
    headers = headers_for(client, who, "POST", path, content=content, headers=JSON)
    async with client.post(path, data=content, headers=headers) as response:
        return response.status, await response.json()


def releases(home: Path) -> list[tuple[bytes, bytes]]:
    """Return the log of releases, read past the queue."""
    with closing(sqlite3.connect(home / QUEUE_FILE)) as database:
        return list(database.execute("SELECT record, account FROM key_releases"))


async def test_data_key_is_released_wrapped_and_noted(
    client: Client, sidecar: Rig, settings: Settings
) -> None:
    """The key opens the stored bytes for its reader only; the release is in table and log, by record id."""
    record = await confirmed(client, sidecar)
    record_id = bytes.fromhex(record)
    await grant(sidecar, RecordScope(record_id=record_id))
    with capture_logs() as logs:
        status, answer = await ask(client, record, {"account": READER.account.hex()})
    assert 200 == status
    wrapped = bytes.fromhex(answer["wrapped"])
    data_key = unwrap_data_key(READER.encryption, wrapped, record_id, READER.account)
    place = await sidecar.world.chain.record(record_id)
    assert place is not None
    sealed = await sidecar.world.store.read_range(place.object_id, place.offset, place.length)
    assert open_sealed(data_key, record_id, sealed) == OBSERVATION
    assert [{"event": "key_released", "record": record, "log_level": "info"}] == logs
    assert [(record_id, READER.account)] == await asyncio.to_thread(releases, settings.home)


async def test_the_organisations_own_accounts_need_no_grant(client: Client, sidecar: Rig) -> None:
    """The custodian reads what he keeps; so do its operators."""
    record = await confirmed(client, sidecar)
    for account in (ORGANISATION, OPERATOR):
        await give_key(sidecar, account, EncryptionKeyPair.generate())
        assert 200 == (await ask(client, record, {"account": account.hex()}))[0]


async def test_a_signed_reader_gets_his_key_while_his_grant_lives(client: Client, sidecar: Rig) -> None:
    """A grant of all the patient's records covers one that is named; an ended one gives nothing."""
    record = await confirmed(client, sidecar)
    await grant(sidecar, PatientScope(patient_id=PATIENT), blocks=3)
    status, answer = await ask_signed(client_without_token(client), READER, record, {})
    assert 200 == status, answer
    chain = sidecar.world.chain
    for _ in range(4):
        await chain.submitter(OPERATOR).submit(
            calls.set_encryption_key(EncryptionKeyPair.generate().public_key)
        )
    assert (403, "NO_GRANT") == code_of(await ask_signed(client, READER, record, {}))


def client_without_token(client: Client) -> Client:
    """Return the client, which sends its token no more."""
    client.session.headers.pop("Authorization", None)
    return client


def code_of(answer: tuple[int, dict[str, Any]]) -> tuple[int, str]:
    """Return status and code."""
    return answer[0], answer[1]["code"]


async def test_a_revoked_grant_gives_nothing(client: Client, sidecar: Rig, settings: Settings) -> None:
    """Nothing is noted either."""
    record = await confirmed(client, sidecar)
    scope = RecordScope(record_id=bytes.fromhex(record))
    await grant(sidecar, scope)
    await sidecar.world.chain.submitter(ORGANISATION).submit(calls.revoke_access(scope, READER.account))
    assert (403, "NO_GRANT") == code_of(await ask(client, record, {"account": READER.account.hex()}))
    assert [] == await asyncio.to_thread(releases, settings.home)


async def test_a_caller_with_an_account_speaks_for_no_other(client: Client, sidecar: Rig) -> None:
    """Neither a signature nor a token bound to an account gets keys for somebody else."""
    record = await confirmed(client, sidecar)
    await grant(sidecar, RecordScope(record_id=bytes.fromhex(record)))
    bound = await token_for(sidecar, Scope.RELEASE_KEYS, account=b"\x0c" * 32)
    other = {"account": READER.account.hex()}
    assert (403, "SCOPE_MISSING") == code_of(await ask(client, record, other, **JSON, **bound))
    assert (403, "NO_GRANT") == code_of(await ask(client, record, {}, **JSON, **bound))
    stranger = Identity.generate()
    answer = await ask_signed(client_without_token(client), stranger, record, other)
    assert (403, "SCOPE_MISSING") == code_of(answer)


async def test_the_key_goes_only_to_the_key_on_chain(client: Client, sidecar: Rig) -> None:
    """A stolen token does not get keys wrapped to its thief."""
    record = await confirmed(client, sidecar)
    await grant(sidecar, RecordScope(record_id=bytes.fromhex(record)))
    body = {"account": READER.account.hex(), "public_key": EncryptionKeyPair.generate().public_key.hex()}
    assert (403, "ACCESS_REFUSED") == code_of(await ask(client, record, body))
    assert (403, "ACCESS_REFUSED") == code_of(await ask(client, record, {}))
    assert 200 == (await ask(client, record, body | {"public_key": READER.encryption.public_key.hex()}))[0]


async def test_without_a_key_on_chain_there_is_nothing_to_wrap_to(client: Client, sidecar: Rig) -> None:
    """The answer says what the reader must do."""
    record = await confirmed(client, sidecar)
    assert (403, "NO_ENCRYPTION_KEY") == code_of(await ask(client, record, {"account": OPERATOR.hex()}))


async def test_what_is_in_escrow_is_released_as_it_is(sidecar: Rig, client: Client) -> None:
    """The reader can compare it with his grant's digest; after he changed his key it is wrapped anew."""
    record = bytes.fromhex(await confirmed(client, sidecar))
    scope, chain, ledger = RecordScope(record_id=record), sidecar.world.chain, SqlLedger(sidecar.database)
    await grant(sidecar, scope)
    wrapped = b"w" * 1168
    await ledger.keep_escrow(
        scope, READER.account, [EscrowedKey(record_id=record, wrapped=wrapped, key_version=1)]
    )
    key = Escrowed(digest=hashlib.sha256(wrapped).digest(), key_version=1)
    delivery = KeyDelivery(scope=scope, grantee=READER.account, key=key)
    await chain.submitter(OPERATOR).submit(calls.deliver_keys(ORGANISATION, [delivery]))
    async with serving(sidecar, headers=await token_for(sidecar), ledger=ledger) as served:
        body = {"account": READER.account.hex()}
        assert wrapped.hex() == (await ask(served, record.hex(), body))[1]["wrapped"]
        fresh = EncryptionKeyPair.generate()
        await give_key(sidecar, READER.account, fresh)
        status, answer = await ask(served, record.hex(), body)
    assert 200 == status
    assert unwrap_data_key(fresh, bytes.fromhex(answer["wrapped"]), record, READER.account)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"account": "00" * 31}, "INPUT_INVALID"),
        ({"account": "00" * 32, "public_key": "00"}, "INPUT_INVALID"),
        ({"account": "00" * 32, "colour": "red"}, "INPUT_INVALID"),
        ({"account": 7}, "INPUT_INVALID"),
        ([], "JSON_BROKEN"),
    ],
)
async def test_bad_key_requests_release_nothing(
    client: Client, sidecar: Rig, settings: Settings, body: Any, code: str
) -> None:
    """A malformed request is refused before anything is noted."""
    record = await confirmed(client, sidecar)
    assert (400, code) == code_of(await ask(client, record, body))
    assert [] == await asyncio.to_thread(releases, settings.home)


async def test_no_key_for_unknown_or_unjudged_records(client: Client, sidecar: Rig) -> None:
    """An id that was never accepted as a record has no key to give."""
    await give_key(sidecar, ORGANISATION, EncryptionKeyPair.generate())
    _, accepted = await post(client)
    for record in ("00" * 16, accepted["submission"]):
        assert (404, "NOT_FOUND") == code_of(await ask(client, record, {"account": ORGANISATION.hex()}))


async def test_key_releases_have_a_rate_of_their_own(sidecar: Rig) -> None:
    """Somebody with a stolen token does not empty the archive at once."""
    async with serving(sidecar, headers=await token_for(sidecar), key_release_rate=2) as client:
        answers = [await ask(client, "00" * 16, {"account": READER.account.hex()}) for _ in range(3)]
    assert [(403, "NO_GRANT"), (403, "NO_GRANT"), (429, "RATE_LIMITED")] == [code_of(one) for one in answers]


async def test_without_the_chain_no_key_is_released(client: Client, sidecar: Rig) -> None:
    """Whether a grant lives cannot be told then."""
    record = await confirmed(client, sidecar)
    sidecar.world.chain.reachable = False
    assert (503, "CHAIN_UNREACHABLE") == code_of(await ask(client, record, {"account": READER.account.hex()}))
