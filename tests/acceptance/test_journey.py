"""The way of a record through the command line: in, out, shared, withdrawn."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from caregrid.client import EmrClient
from caregrid.keys import encode_account
from caregrid.records import RecordFormat
from caregrid.sync import EmrClient as SyncEmrClient

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Network


def reader_account(network: Network) -> str:
    """Return the second person's account."""
    return encode_account(network.devnet.identity("reader").account)


def test_a_record_comes_back_as_it_went_in(network: Network, observation: Path, tmp_path: Path) -> None:
    """Byte for byte, to a file and to standard output, and the chain says where it lies."""
    answer = network.submit(observation)
    assert (1, 0, 0) == (answer["confirmed"], answer["rejected"], answer["failed"])
    record = answer["records"][0]["record"]

    copy = tmp_path / "copy.json"
    got = network.run("emr", "get", record, "--out", copy, "--json")
    assert {"record": record, "bytes": observation.stat().st_size, "file": str(copy)} == got.json
    assert observation.read_bytes() == copy.read_bytes()
    assert observation.read_bytes() == network.run("emr", "get", record).stdout

    shown = network.run("emr", "show", record, "--json").json
    assert answer["patient"] == shown["patient"]
    assert answer["records"][0]["object"] == shown["object"]
    assert shown["anchored_at"] == answer["records"][0]["block"]
    assert "fhir-r4-json" == shown["format"]
    assert encode_account(network.devnet.identity("hospital").account) == shown["custodian"]


def test_a_grant_opens_a_record_and_a_revocation_closes_it(network: Network, observation: Path) -> None:
    """A second person reads only between the two."""
    record, account = network.submit(observation)["records"][0]["record"], reader_account(network)
    before = network.run("emr", "get", record, "--json", profile=network.reader)
    assert (15, "NO_GRANT") == (before.exit_code, before.error["error"])

    assert 0 == network.run("grants", "add", record, account, "--inline", "--json").exit_code
    listed = network.run("grants", "list", record, "--json", profile=network.reader).json["grants"]
    assert [(account, True, "inline")] == [(one["grantee"], one["live"], one["key"]) for one in listed]
    assert observation.read_bytes() == network.run("emr", "get", record, profile=network.reader).stdout

    assert 0 == network.run("grants", "revoke", record, account, "--json").exit_code
    after = network.run("emr", "get", record, "--json", profile=network.reader)
    assert (15, b"") == (after.exit_code, after.stdout)
    assert [] == network.run("grants", "list", record, "--json").json["grants"]


def test_an_expired_grant_gives_nothing(network: Network, observation: Path) -> None:
    """Past its block a grant opens nothing; which error says so depends on whether a block has removed it."""
    record, account = network.submit(observation)["records"][0]["record"], reader_account(network)
    assert 0 == network.run("grants", "add", record, account, "--blocks", 6, "--json").exit_code
    while any(grant["live"] for grant in network.run("grants", "list", record, "--json").json["grants"]):
        pass
    answer = network.run("emr", "get", record, "--json", profile=network.reader)
    assert (answer.exit_code, answer.error["error"]) in {(15, "NO_GRANT"), (16, "GRANT_EXPIRED")}


def test_a_bundle_is_taken_apart_and_its_bad_entry_refused(network: Network, tmp_path: Path) -> None:
    """Good entries are anchored, the bad one comes back with an OperationOutcome; they share one object."""
    entries = [
        {
            "fullUrl": f"http://example.org/fhir/Patient/p{number}",
            "resource": {"resourceType": "Patient", "id": f"p{number}", "gender": gender},
        }
        for number, gender in enumerate(["female", "male", 7, "other"])
    ]
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    answer = network.run("emr", "submit", file, "--json")
    assert 64 == answer.exit_code
    assert (3, 1) == (answer.json["confirmed"], answer.json["rejected"])
    assert 1 == len({item["object"] for item in answer.json["records"] if item["state"] == "confirmed"})
    [refused] = [item for item in answer.json["records"] if item["state"] == "rejected"]
    assert "OperationOutcome" == refused["outcome"]["resourceType"]
    assert "Bundle.entry[2].resource.gender" in json.dumps(refused["outcome"])


def test_what_is_there_is_not_stored_twice(network: Network, observation: Path) -> None:
    """Handed in again for the same patient, a record is named that says the same; that is no failure."""
    first = network.submit(observation)
    again = network.run("emr", "submit", observation, "--patient", first["patient"], "--json")
    assert (0, 0, 1) == (again.exit_code, again.json["confirmed"], again.json["duplicate"])
    assert first["records"][0]["record"] == again.json["records"][0]["duplicates"]


def test_a_file_over_one_segment_survives_lost_nodes(network: Network, tmp_path: Path) -> None:
    """40 MiB come back with a third of the storage nodes dead; the nodes are then brought back."""
    file, copy = tmp_path / "scan.bin", tmp_path / "copy.bin"
    block = hashlib.shake_256(b"scan").digest(1 << 20)
    file.write_bytes(block * 40)
    record = network.submit(file)["records"][0]["record"]
    lost = (0, 3, 6, 9)
    for number in lost:
        network.devnet.storage.kill_node(number)
    try:
        assert 0 == network.run("emr", "get", record, "--out", copy).exit_code
    finally:
        for number in lost:
            network.devnet.storage.restart_node(number)
    assert file.read_bytes() == copy.read_bytes()


def test_doctor_finds_everything_in_order(network: Network) -> None:
    """Both profiles of a fresh network are healthy."""
    for profile in (network.clinic, network.reader):
        answer = network.run("doctor", "--json", profile=profile)
        assert 0 == answer.exit_code, answer.stdout
        assert answer.json["healthy"]


def test_the_blocking_client_does_the_same(network: Network, observation: Path) -> None:
    """Submit, read and look up without `await`."""
    with SyncEmrClient.from_profile(network.clinic) as client:
        patient = client.register_patient()
        [item] = client.submit(observation, patient_id=patient).items
        assert observation.read_bytes() == client.get(item.record_id)
        assert patient == client.record(item.record_id).patient_id
        assert [] == list(client.grants(item.record_id))


async def test_a_person_without_a_sidecar_is_his_own_custodian(
    network: Network, observation: Path, tmp_path: Path
) -> None:
    """The client-side way: plaintext never leaves the client, and the key stands in a grant to himself."""
    from caregrid.chain import calls  # noqa: PLC0415 - only here

    alone = network.profile_like(network.reader, tmp_path / "alone.toml", without=["sidecar_url"])
    async with await EmrClient.from_profile(alone) as client:
        await client.submitter.submit(calls.register_organisation([]))
        patient = await client.register_patient()
        status = await client.submit(observation, patient_id=patient)
        [item] = status.items
        assert observation.read_bytes() == await client.get(item.record_id)
        record = await client.record(item.record_id)
        assert RecordFormat.FHIR_R4_JSON == record.format
        [grant] = await client.grants(item.record_id)
        assert client.identity.account == grant.grantee


def test_nothing_readable_is_left_anywhere(network: Network, tmp_path: Path) -> None:
    """A marker planted in a record, valid or refused, stands in no file of the whole network."""
    marker = hashlib.sha256(b"canary").hexdigest()[:24]
    for status in ("final", marker):
        file = tmp_path / "canary.json"
        resource = {"resourceType": "Observation", "status": status, "code": {"text": marker}}
        file.write_text(json.dumps(resource))
        network.submit(file)
    found = [
        path
        for path in network.devnet.layout.root.rglob("*")
        if path.is_file() and marker.encode() in path.read_bytes()
    ]
    assert [] == found
