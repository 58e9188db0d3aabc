"""The life of an access on the real node, through the command line: asked for, given, used, ended."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from caregrid.chain import Inline, PatientScope, Pending, RecordScope
from caregrid.client import EmrClient
from caregrid.keys import Identity, encode_account
from ocw_sidecar.adapters.opening import QUEUE_FILE
from ocw_sidecar.devnet.accounts import ROLES
from tests.acceptance.conftest import confirmed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from caregrid.chain.port import Scope
    from tests.acceptance.conftest import Network
    from tests.command_line import Answer

TIMEOUT_S = 90.0
#: Blocks from the one after which a grant is final to the one with its key.
DELIVERY_BLOCKS = 2
#: `NO_GRANT` once the chain has removed the grant, `GRANT_EXPIRED` before.
ENDED = {(15, "NO_GRANT"), (16, "GRANT_EXPIRED")}


def account_of(network: Network, role: str = "reader") -> str:
    """Return somebody's account."""
    return encode_account(network.devnet.identity(role).account)


def stored(network: Network, file: Path, *more: object) -> tuple[str, str]:
    """Store a record; return its id and its patient's."""
    answer = network.submit(file, *more)
    [record] = confirmed(answer)
    return record, str(answer["patient"])


def ok(answer: Answer) -> dict[str, Any]:
    """Return what a command printed that must have succeeded."""
    assert 0 == answer.exit_code, answer.stderr
    return dict(answer.json)


def refused(answer: Answer) -> tuple[int, str]:
    """Return exit code and error of a command that must have failed."""
    return answer.exit_code, answer.error["error"]


def read(network: Network, record: str, profile: Path | None = None) -> Answer:
    """Read a record as the second person."""
    return network.run("emr", "get", record, "--json", profile=profile or network.reader)


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that takes a few blocks."""
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def escrowed(network: Network, scope: bytes) -> int:
    """Return how many keys the sidecar keeps for a grant; its database is read from outside."""
    path = network.devnet.layout.sidecar / QUEUE_FILE
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        count = "SELECT count(*) FROM escrow_keys WHERE scope = ?"
        return int(database.execute(count, (scope,)).fetchone()[0])


async def notices(profile: Path) -> list[dict[str, Any]]:
    """Return everything that an account was told."""
    async with await EmrClient.from_profile(profile) as client:
        assert client.sidecar is not None
        found = (await client.sidecar.notices()).items
        return [{"kind": each.kind, **each.facts} for each in found]


def told(profile: Path, kind: str, **facts: str) -> bool:
    """Tell whether an account was told something."""
    wanted = {"kind": kind, **facts}
    return any(wanted.items() <= each.items() for each in asyncio.run(notices(profile)))


def hospital(network: Network, folder: Path) -> Path:
    """Write a profile of the organisation's own account, which signs what it asks the sidecar."""
    own = network.devnet.layout.identity("hospital")
    return network.profile_like(
        network.clinic, folder / "hospital.toml", identity=own, without=["token_file"]
    )


def test_asked_for_denied_granted_extended_and_withdrawn(network: Network, observation: Path) -> None:
    """Each step by a command of him whose turn it is, who is told what concerns him."""
    (record, patient), reader = stored(network, observation), account_of(network)
    assert (15, "NO_GRANT") == refused(read(network, record))

    ok(network.run("grants", "request", record, "--json", profile=network.reader))
    for about in ([record], ["--patient", patient]):
        [asked] = ok(network.run("grants", "requests", *about, "--json"))["requests"]
        assert (record, reader, "Treatment") == (asked["record"], asked["requester"], asked["purpose"])
    ok(network.run("grants", "deny", record, reader, "--json"))
    assert [] == ok(network.run("grants", "requests", record, "--json"))["requests"]
    wait_until(lambda: told(network.reader, "access_denied", record=record))

    ok(network.run("grants", "request", record, "--json", profile=network.reader))
    given = ok(network.run("grants", "add", record, reader, "--blocks", 500, "--wait", "--json"))
    assert "escrowed" == given["key"]
    assert [] == ok(network.run("grants", "requests", record, "--json"))["requests"]
    assert observation.read_bytes() == network.run("emr", "get", record, profile=network.reader).stdout
    extended = ok(network.run("grants", "extend", record, reader, "--blocks", 900, "--json"))
    assert given["expires_at"] < extended["expires_at"]
    assert "escrowed" == extended["key"]
    [release] = ok(network.run("grants", "releases", record, "--json"))["releases"]
    assert (reader, "record", False) == (release["account"], release["ground"], release["emergency"])

    assert 1 == escrowed(network, b"\x00" + bytes.fromhex(record))
    ok(network.run("grants", "revoke", record, reader, "--json"))
    assert (15, "NO_GRANT") == refused(read(network, record))
    wait_until(lambda: told(network.reader, "access_revoked", record=record))
    assert 0 == escrowed(network, b"\x00" + bytes.fromhex(record))


def test_a_patients_later_records_come_along_until_the_end(network: Network, tmp_path: Path) -> None:
    """A grant of all of them opens what is stored after it; once it ends it opens nothing."""
    files = [tmp_path / f"{name}.json" for name in ("first", "second")]
    for file in files:
        code = {"resourceType": "Observation", "status": "final", "code": {"text": file.stem}}
        file.write_text(json.dumps(code))
    (first, patient), reader = stored(network, files[0]), account_of(network)
    given = ok(network.run("grants", "add", reader, "--patient", patient, "--blocks", 500, "--json"))
    assert asyncio.run(blocks_to_delivery(network, given["block"])) <= DELIVERY_BLOCKS
    second, _ = stored(network, files[1], "--patient", patient)
    for record, file in zip((first, second), files, strict=True):
        assert file.read_bytes() == network.run("emr", "get", record, profile=network.reader).stdout
    [listed] = ok(network.run("grants", "list", "--patient", patient, "--json"))["grants"]
    expected = ("patient", reader, given["expires_at"])
    assert expected == (listed["covers"], listed["grantee"], listed["expires_at"])

    # Given anew it ends soon; all of the above takes as long as the machine is busy.
    last = ok(network.run("grants", "add", reader, "--patient", patient, "--blocks", 10, "--json"))
    assert last["expires_at"] < given["expires_at"]

    def ended() -> bool:
        shown = ok(network.run("grants", "list", "--patient", patient, "--json"))
        return bool(shown["finalized"] >= last["expires_at"])

    wait_until(ended)
    assert {refused(read(network, record)) for record in (first, second)} <= ENDED
    wait_until(lambda: 0 == escrowed(network, b"\x01" + bytes.fromhex(patient)))
    wait_until(lambda: told(network.reader, "access_expired", patient=patient))


def test_an_emergency_is_served_at_once_and_seen_by_all(
    network: Network, observation: Path, tmp_path: Path
) -> None:
    """Without asking; who decides for the patient is told, and chain and releases say that it was one."""
    (record, _), reader = stored(network, observation), account_of(network)
    profile = hospital(network, tmp_path)
    command = ("grants", "emergency", record, "--reason", "ThreatToLife", "--json")
    assert (14, "ACCESS_REFUSED") == refused(network.run(*command, profile=network.reader))
    ok(network.run("grants", "emergency-members", reader, "--json", profile=profile))
    opened = ok(network.run(*command, profile=network.reader))
    assert asyncio.run(blocks_to_delivery(network, opened["block"])) <= DELIVERY_BLOCKS
    assert observation.read_bytes() == network.run("emr", "get", record, profile=network.reader).stdout
    [grant] = ok(network.run("grants", "list", record, "--json"))["grants"]
    assert ("EmergencyTreatment", opened["expires_at"]) == (grant["purpose"], grant["expires_at"])
    [release] = ok(network.run("grants", "releases", record, "--json"))["releases"]
    assert (reader, "emergency", True) == (release["account"], release["ground"], release["emergency"])
    member = network.devnet.identity("reader").account.hex()
    wait_until(lambda: told(profile, "emergency_access", record=record, member=member))


async def blocks_to_delivery(network: Network, number: int) -> int:
    """Return how many blocks after a grant was seen to be final its key came."""
    async with await EmrClient.from_profile(network.clinic) as client, asyncio.timeout(TIMEOUT_S):
        final = (await client.chain.finalized_head()).number
        async for block in client.chain.finalized_blocks(number):
            if any(event.name == "KeyDelivered" for event in block.events):
                return block.ref.number - final
    raise AssertionError


def test_a_new_encryption_key_opens_what_the_old_one_did(
    network: Network, observation: Path, tmp_path: Path
) -> None:
    """Keys in grants and keys in escrow are wrapped anew, by nobody's doing but the sidecar's."""
    (first, patient), reader = stored(network, observation), account_of(network)
    ok(network.run("grants", "add", first, reader, "--inline", "--json"))
    ok(network.run("grants", "add", reader, "--patient", patient, "--wait", "--json"))
    file = tmp_path / "renewed.json"
    Identity.from_uri(ROLES["reader"]).save(file, network.devnet.layout.passphrase.read_text())
    profile = network.profile_like(network.reader, tmp_path / "renewed.toml", identity=file)
    version = ok(network.run("grants", "publish-key", "--json", profile=profile))["key_version"]
    try:
        asyncio.run(renewed(network, RecordScope(record_id=bytes.fromhex(first)), version))
        asyncio.run(renewed(network, PatientScope(patient_id=bytes.fromhex(patient)), version))
        # He who reads without a sidecar goes on reading what stands in his grant.
        alone = network.profile_like(
            network.reader, tmp_path / "alone.toml", identity=file, without=["sidecar_url"]
        )
        assert observation.read_bytes() == network.run("emr", "get", first, profile=alone).stdout
    finally:
        ok(network.run("grants", "publish-key", "--json", profile=network.reader))


async def renewed(network: Network, scope: Scope, version: int) -> None:
    """Wait until a grant has a key of a version."""
    async with await EmrClient.from_profile(network.clinic) as client, asyncio.timeout(TIMEOUT_S):
        while True:
            grant = await client.chain.grant(scope, network.devnet.identity("reader").account)
            assert grant is not None
            assert not isinstance(grant.key, Pending)
            if grant.key.key_version == version:
                assert isinstance(grant.key, Inline) == isinstance(scope, RecordScope)
                return
            await asyncio.sleep(0.2)
