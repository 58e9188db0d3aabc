"""Whoever follows docs/reference/chain.md with plain JSON-RPC finds what happened, and all that there is."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import websocket
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.acceptance import chain_facts
from tests.acceptance.chain_facts import (
    ERASED,
    ESCROWED,
    KEPT,
    NETWORK,
    OBJECT,
    OWNED,
    PATIENT,
    PATTERN,
    PROOF,
    RECORD,
    SIGNATURE,
    Facts,
)
from tests.acceptance.outsider import chain, page
from tests.acceptance.outsider.page import Auditor, Page
from tests.acceptance.outsider.scale import Notation, decode

if TYPE_CHECKING:
    from collections.abc import Callable

REFERENCE = Page(Path(__file__).resolve().parents[2] / "docs/reference/chain.md")
OURS = ("Emr", "Threats")


@pytest.fixture(scope="module")
def auditor(node_url: str) -> Auditor:
    """Somebody who has the page and a node."""
    return page.auditor(REFERENCE, chain.Node(node_url.replace("ws://", "http://")))


@pytest.fixture(scope="module")
def facts(node_url: str) -> Facts:
    """What has happened on the chain."""
    return chain_facts.happen(node_url)


@pytest.fixture
def run(auditor: Auditor) -> Callable[..., dict[str, Any]]:
    """Runs the recipes below a heading and returns their variables."""

    def recipes(heading: str, **given: object) -> dict[str, Any]:
        namespace: dict[str, Any] = {**auditor.functions(), **given}
        code = "\n".join(REFERENCE.blocks(heading, "python"))
        assert code, heading
        exec(compile(code, heading, "exec"), namespace)  # noqa: S102 - the page is ours
        return namespace

    return recipes


def numbered(rows: list[dict[str, str]], *columns: str) -> set[tuple[str, ...]]:
    """Return some columns of a table, to be compared."""
    return {tuple(row[column] for column in columns) for row in rows}


def text_of(variant: dict[str, Any] | Any) -> str:
    """Return the documentation of something in metadata, in one line."""
    return " ".join(" ".join(variant["docs"]).replace("`", "").split())


# What is there: tables against metadata.


def test_every_pallet_stands_in_the_table(auditor: Auditor) -> None:
    """With the index that it has for ever."""
    there = {(name, str(one["index"])) for name, one in auditor.metadata.pallets.items()}
    assert there == numbered(REFERENCE.table("Pallets"), "pallet", "index")


def test_every_storage_item_of_ours_stands_in_the_table(auditor: Auditor) -> None:
    """And nothing that is no storage item."""
    there = {(f"{pallet}.{item}",) for pallet in OURS for item in auditor.metadata.storage(pallet)}
    assert there == numbered(REFERENCE.table("Storage items"), "item")


def test_keys_and_values_of_storage_items_are_as_the_page_says(auditor: Auditor) -> None:
    """Hashers, and fields with names, order and types."""
    metadata = auditor.metadata
    for name, item in auditor.items.items():
        parts, value = metadata.storage(item.pallet)[item.name]
        hashers = [(chain.HASHERS[hasher].number, kind.plain(auditor.names)) for hasher, kind in item.parts]
        assert [(hasher, kind.plain(metadata.names)) for hasher, kind in parts] == hashers, name
        assert value.plain(metadata.names) == item.value.plain(auditor.names), name


@pytest.mark.parametrize(
    ("heading", "kind", "column", "arguments"),
    [("Calls", "calls", "call", "arguments"), ("Events", "event", "event", "fields")],
)
def test_calls_and_events_are_as_the_page_says(
    auditor: Auditor, heading: str, kind: str, column: str, arguments: str
) -> None:
    """Every one of our pallets', with its index and its fields."""
    metadata = auditor.metadata
    there = {
        (f"{pallet}.{one['name']}", one["index"], chain.fields(one["fields"]).plain(metadata.names))
        for pallet in OURS
        for one in metadata.variants(pallet, kind)
    }
    assert there == {
        (row[column], int(row["index"]), Notation(row[arguments]).fields().plain(auditor.names))
        for row in REFERENCE.table(heading)
    }


@pytest.mark.parametrize(
    ("heading", "kind", "columns"),
    [("Errors", "error", ("error", "cause and cure")), ("Events", "event", ("event", "what it tells"))],
)
def test_texts_are_those_of_the_metadata(
    auditor: Auditor, heading: str, kind: str, columns: tuple[str, str]
) -> None:
    """So that polkadot.js, which shows the metadata's, and the page say the same."""
    there = {
        (f"{pallet}.{one['name']}", str(one["index"]), text_of(one))
        for pallet in OURS
        for one in auditor.metadata.variants(pallet, kind)
    }
    assert there == numbered(REFERENCE.table(heading), columns[0], "index", columns[1])


def test_constants_are_as_the_page_says(auditor: Auditor) -> None:
    """All of our pallets', and those of others that an auditor needs."""
    there = {
        f"{pallet}.{one['name']}": decode(chain.ref(one["type"]), one["value"], auditor.metadata.names)
        for pallet, described in auditor.metadata.pallets.items()
        for one in described["constants"]
    }
    said = {row["constant"]: int(row["value"].replace(",", "")) for row in REFERENCE.table("Constants")}
    assert {name: there[name] for name in said} == said
    assert {name for name in there if name.split(".")[0] in OURS} <= set(said)


def test_what_is_signed_with_a_call_is_as_the_page_says(auditor: Auditor) -> None:
    """The extensions, in order."""
    [names] = REFERENCE.blocks("Calls", "text")
    assert auditor.metadata.extensions == names.split()


def test_facts_of_the_network(auditor: Auditor) -> None:
    """Prefix, decimals, token and block time are the node's."""
    said = [row["value"] for row in REFERENCE.table("Connect")]
    properties = auditor.node.rpc("system_properties")
    slot = auditor.decode("u64", auditor.node.rpc("state_call", "AuraApi_slot_duration", "0x"))
    names = ("ss58Format", "tokenDecimals", "tokenSymbol")
    assert [*(str(properties[name]) for name in names), str(slot)] == said[1:]


# Worked examples, and recipes.


def test_every_recipe_is_run_here() -> None:
    """No heading of the page has code that no test of this file runs."""
    tests = Path(__file__).read_text()
    assert [] == [one for one in REFERENCE.headings("python") if f'"{one}"' not in tests]


def example(heading: str) -> list[tuple[str, bytes]]:
    """Return the parts of an example's key, each computed anew from what the page says that it is."""
    rows = [(row["what"], bytes.fromhex(row["bytes"])) for row in REFERENCE.table(heading)]
    _, part = rows[-1]
    for what, data in rows[:-1]:
        hasher, argument = what.removesuffix(")").split("(")
        name = argument.strip('"').encode()
        assert (chain.twox_128(name) if hasher == "Twox128" else chain.blake2_128(part)) == data, what
    return rows


def joined(rows: list[tuple[str, bytes]]) -> str:
    """Return a key of its parts."""
    return "0x" + b"".join(data for _, data in rows).hex()


def test_keys_computed_by_hand(auditor: Auditor, facts: Facts) -> None:
    """Each part of the examples is right, and the request that is written out leads to the record."""
    key = joined(example("A record's key"))
    assert auditor.key("Emr.Records", RECORD) == key
    assert auditor.key("Emr.Grants", ("Record", RECORD)) == joined(example("The keys of grants"))
    [body] = re.findall(r"-d '(.*?)'", REFERENCE.section("A record's key"), re.DOTALL)
    request = json.loads(body)
    assert [key] == request["params"]
    at = auditor.node.rpc("chain_getBlockHash", facts.last)
    found = auditor.node.rpc(request["method"], *request["params"], at)
    assert "Live" == auditor.decode("RecordEntry", found)[0]


def test_finalized_blocks(run: Callable[..., dict[str, Any]], facts: Facts, auditor: Auditor) -> None:
    """The last final block, and a block by its number."""
    found = run("Which blocks to trust", N=facts.last)
    assert found["last"] >= facts.last
    assert facts.last == auditor.read("System.Number", at=found["at"])


def test_who_may_read(run: Callable[..., dict[str, Any]], facts: Facts) -> None:
    """By record, by patient and by emergency; not when expired, revoked, or for another record."""
    who, heading = facts.accounts, "Who may read record R at block N?"
    opened = facts.blocks["emergency"] + 7200
    forever = {
        (who["reader"], "Treatment", facts.expiry),
        (who["member"], "EmergencyTreatment", opened),
    }
    passing = {
        (who["visitor"], "Operations", facts.visit),
        (who["colleague"], "Research", facts.expiry),
    }
    before = run(heading, N=facts.granted, R=RECORD, A=who["reader"])
    assert facts.granted < facts.visit
    assert forever | passing == set(before["readers"]) == set(before["by_storage"])
    assert ("Escrowed", {"digest": ESCROWED, "key_version": 1}) == before["grant"]["key"]
    after = run(heading, N=facts.last, R=RECORD, A=who["visitor"])
    assert forever == set(after["readers"]) == set(after["by_storage"])
    assert after["grant"] is None


def test_pages_go_on_where_the_last_one_ended(auditor: Auditor, facts: Facts) -> None:
    """With one entry on each page all are found, once."""
    at, after, found = auditor.node.rpc("chain_getBlockHash", facts.granted), None, []
    while page := auditor.call("EmrApi_grants_of_record", RECORD, after, 1, at=at):
        found += [grant["grantee"] for grant in page["items"]]
        after = page["next"]
        if after is None:
            break
    readers = ("reader", "member", "visitor", "colleague")
    assert sorted(facts.accounts[one] for one in readers) == sorted(found)


def test_who_asks(run: Callable[..., dict[str, Any]], facts: Facts) -> None:
    """Requester, purpose and end of a request."""
    found = run("Who asks for access to record R?", N=facts.last, R=KEPT)
    assert [(facts.accounts["colleague"], "Research", facts.expiry)] == found["asked"]


def test_grants_that_end_soon(run: Callable[..., dict[str, Any]], facts: Facts) -> None:
    """The earliest first, and none that ends later."""
    found = run("Which grants end within a day?", N=facts.granted)
    who, opened = facts.accounts, facts.blocks["emergency"] + 7200
    # The node may be shared with tests that give grants of their own.
    ours = [grant for grant in found["page"]["items"] if grant["grantee"] in who.values()]
    ending = [(grant["grantee"], grant["expires_at"]) for grant in ours]
    assert (who["visitor"], facts.visit) == ending[0]
    assert {(who["reader"], facts.expiry), (who["colleague"], facts.expiry)} == set(ending[1:4])
    assert [(who["member"], opened)] == ending[4:]


def test_records_of_a_patient(run: Callable[..., dict[str, Any]], facts: Facts) -> None:
    """Those that stand, and at an earlier block also the one that was erased later."""
    heading = "Which records does patient P have?"
    before, after = (run(heading, N=number, P=PATIENT) for number in (facts.granted, facts.last))
    assert {RECORD, KEPT, ERASED} == set(before["page"]["items"]) == set(before["by_storage"])
    assert {RECORD, KEPT} == set(after["page"]["items"]) == set(after["by_storage"])


def test_where_the_bytes_lie(run: Callable[..., dict[str, Any]], facts: Facts, auditor: Auditor) -> None:
    """Object, range and digest, and the runtime says the same."""
    found = run("Where do the bytes of record R lie, and what is their SHA-256?", N=facts.last, R=KEPT)
    view = {**found["record"], "custodian": facts.accounts["hospital"]}
    assert ("Live", view) == auditor.call("EmrApi_record", KEPT, at=found["at"])
    assert (OBJECT, 1000, 901, hashlib.sha256(KEPT).digest()) == found["place"]
    assert (facts.accounts["hospital"], 3000) == (found["stored"]["custodian"], found["stored"]["size"])


def test_who_granted_revoked_and_opened(run: Callable[..., dict[str, Any]], facts: Facts) -> None:
    """Each with block and signer; what expired went by itself."""
    found = run(
        "Who granted, revoked or opened emergency access, and when?",
        R=RECORD,
        P=PATIENT,
        FIRST=facts.first,
        LAST=facts.last,
    )
    log = [
        (name.removeprefix("Emr."), fields.get("grantee") or fields["member"], signer)
        for _, name, fields, signer in found["log"]
    ]
    who, operator = facts.accounts, ("Id", facts.accounts["operator"])
    assert sorted(log, key=str) == sorted(
        [
            ("AccessGranted", who["reader"], operator),
            ("AccessGranted", who["visitor"], operator),
            ("AccessGranted", who["colleague"], operator),
            ("EmergencyAccessOpened", who["member"], ("Id", who["member"])),
            ("AccessRevoked", who["colleague"], operator),
            ("AccessExpired", who["visitor"], None),
        ],
        key=str,
    )
    numbers = {name: number for number, name, _, _ in found["log"]}
    assert facts.blocks["emergency"] == numbers["Emr.EmergencyAccessOpened"]
    assert (facts.blocks["revoked"], facts.visit) == (
        numbers["Emr.AccessRevoked"],
        numbers["Emr.AccessExpired"],
    )


def test_reports_and_challenges(run: Callable[..., dict[str, Any]], facts: Facts, auditor: Auditor) -> None:
    """Health, outcome, the proof's digest and the block that the challenge came from."""
    heading = "What was reported on storage health and proofs of object O, and when was it challenged?"
    found = run(heading, N=facts.last, O=OBJECT)
    assert {"health": 875_000, "replicas": 2, "nodes": 11, "reported_at": facts.blocks["health"]} == found[
        "health"
    ]
    assert found["integrity"] == {
        "scheme": "Public",
        "outcome": "Passed",
        "challenged_at": facts.challenged,
        "proof_digest": PROOF,
        "reported_at": facts.blocks["integrity"],
    }
    assert facts.blocks["committed"] == found["proof"]["committed_at"] < facts.challenged
    assert facts.challenged == auditor.read("System.Number", at=found["challenge"])


def test_who_erased_a_record(run: Callable[..., dict[str, Any]], facts: Facts, auditor: Auditor) -> None:
    """The custodian, by an operator; and nothing of the patient is left."""
    found = run("Was record R erased, by whom, when?", N=facts.last, R=ERASED)
    who = facts.accounts
    assert ("Erased", {"custodian": who["hospital"], "erased_at": facts.blocks["erased"]}) == (
        found["kind"],
        found["tombstone"],
    )
    assert ("Id", who["operator"]) == found["signer"]
    assert found["tombstone"] == auditor.call("EmrApi_record", ERASED, at=found["at"])[1]


def test_who_pays_what(run: Callable[..., dict[str, Any]], facts: Facts, auditor: Auditor) -> None:
    """The tickets are what the page's prices give, and their sum is held."""
    who = facts.accounts
    found = run("Who pays what deposit?", N=facts.last, A=who["hospital"])
    price = prices()
    member, reader = who["member"], who["reader"]
    assert price("Emr.Organisation", 1) == found["organisation"]["ticket"]
    assert {OBJECT: price("Emr.Object", 2)} == found["objects"]
    assert {PATIENT: price("Emr.Patient"), OWNED: price("Emr.Patient")} == found["patients"]
    assert found["grants"] == {
        (("Record", RECORD), reader): price("Emr.Grant, key pending or escrowed"),
        (("Record", RECORD), member): price("Emr.Grant, key pending or escrowed"),
        (("Record", KEPT), reader): price("Emr.Grant, key inline"),
    }
    assert found["held"] == {
        ("Emr", "Organisation"): found["organisation"]["ticket"],
        ("Emr", "Object"): sum(found["objects"].values()),
        ("Emr", "Patient"): sum(found["patients"].values()),
        ("Emr", "Grant"): sum(found["grants"].values()),
        ("Threats", "IpBlock"): price("Threats.IpBlock"),
        ("Threats", "Signature"): price("Threats.Signature", len(PATTERN)),
    }
    account = auditor.read("System.Account", who["hospital"], at=found["at"])["data"]
    [_, proxy_deposit] = auditor.read("Proxy.Proxies", who["hospital"], at=found["at"])
    assert sum(found["held"].values()) + proxy_deposit == account["reserved"]
    for person, reason in (("reader", "EncryptionKey"), ("colleague", "Request")):
        held = run("Who pays what deposit?", N=facts.last, A=who[person])["held"]
        assert {("Emr", reason): price(f"Emr.{reason}")} == held


def prices() -> Callable[..., int]:
    """Return the page's price of a deposit by reason and count."""
    section = REFERENCE.section("Deposits")
    base, each = (int(one.replace(",", "")) for one in re.findall(r"([\d,]+) plancks", section))
    table = {row["reason"]: row["bytes"] for row in REFERENCE.table("Deposits")}

    def price(reason: str, count: int = 0) -> int:
        fixed, _, counted = table[reason].partition(" + ")
        return base + each * (int(fixed) + (int(counted.split()[0]) * count if counted else 0))

    return price


def test_blocked_networks(run: Callable[..., dict[str, Any]], facts: Facts, auditor: Auditor) -> None:
    """Those of one organisation, without what it has withdrawn and what others block."""
    hospital = facts.accounts["hospital"]
    found = run("Which IP networks does organisation X block now?", N=facts.last, X=hospital)
    net = ("V4", {"address": NETWORK.network_address.packed, "prefix": NETWORK.prefixlen})
    assert [(net, "Scanning", facts.expiry)] == found["blocked"]
    signature = auditor.read("Threats.Signatures", SIGNATURE, at=found["at"])
    assert (hospital, "High", PATTERN) == tuple(
        signature[one] for one in ("organisation", "severity", "pattern")
    )


def test_who_acts_and_decides(run: Callable[..., dict[str, Any]], facts: Facts) -> None:
    """Operators, emergency role, proxies, controllers."""
    who, heading = facts.accounts, "Who acts for organisation X, and who decides for patient P?"
    found = run(heading, N=facts.last, X=who["hospital"], P=OWNED)
    organisation = found["organisation"]
    assert ([who["operator"]], [who["member"]]) == (organisation["operators"], organisation["emergency"])
    assert [{"delegate": who["operator"], "proxy_type": "Worker", "delay": 0}] == found["proxies"][0]
    assert (who["hospital"], who["owner"]) == (
        found["patient"]["organisation"],
        found["patient"]["controller"],
    )


def test_who_can_change_the_rules(run: Callable[..., dict[str, Any]], facts: Facts) -> None:
    """Sudo's key and the validators are those of the chain spec."""
    found = run("Who can change the rules?", N=facts.last)
    assert (1, [1]) == (len(found["builders"]), [weight for _, weight in found["voters"]])
    assert found["builders"] == [found["sudo"]]  # in development both are Alice


def test_finality_by_hand(run: Callable[..., dict[str, Any]], facts: Facts) -> None:
    """More than two thirds of the voters have signed a block, and its header's hash is its name."""
    found = run("Is a block final?", N=1)
    assert facts.last > found["number"]
    assert b"FRNK" == bytes(found["engine"])
    weights = dict(found["voters"])
    for authority, signature, message in found["signed"]:
        Ed25519PublicKey.from_public_bytes(authority).verify(signature, bytes.fromhex(message[2:]))
    assert all(
        vote["target"] == found["justification"]["target"] for vote in found["justification"]["precommits"]
    )
    voted = sum(weights[authority] for authority in {one[0] for one in found["signed"]})
    assert 3 * voted > 2 * sum(weights.values())
    assert found["at"] == "0x" + found["justification"]["target"].hex() == found["block_hash"]


def test_the_node_sends_justifications(auditor: Auditor) -> None:
    """Each block's, as it becomes final: votes of more than two thirds for it, in the form of the page."""
    with closing(websocket.create_connection(auditor.node.url.replace("http", "ws"), timeout=20)) as socket:
        socket.send(
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": "grandpa_subscribeJustifications", "params": []})
        )
        assert "result" in json.loads(socket.recv())
        sent = json.loads(socket.recv())["params"]["result"]
    justification = auditor.decode("Justification", sent)
    target = "0x" + justification["target"].hex()
    voters = dict(auditor.read("Grandpa.Authorities", at=target))
    signed = {vote["authority"] for vote in justification["precommits"]}
    assert auditor.read("System.Number", at=target) == justification["number"]
    assert 3 * sum(voters[authority] for authority in signed) > 2 * sum(voters.values())


def test_the_runtime_is_the_one_of_the_source(
    run: Callable[..., dict[str, Any]], facts: Facts, node_program: Path
) -> None:
    """The code on chain is the WASM that was built with the node and lies within it."""
    found = run("Is the runtime the one whose source I have?", N=facts.last)
    assert found["code"] in node_program.read_bytes()
    assert hashlib.sha256(found["code"]).hexdigest() == found["code_sha256"]
    assert "caregrid" == found["version"]["specName"]


def test_why_a_call_failed(run: Callable[..., dict[str, Any]], facts: Facts) -> None:
    """The error's index leads to its row in the table of errors."""
    found = run("Why did a call fail?", FIRST=facts.first + 1, LAST=facts.last)
    [(_, failed, (kind, error))] = found["failures"]
    assert ("Module", 20) == (kind, error["index"])
    [name] = [
        row["error"]
        for row in REFERENCE.table("Errors")
        if row["error"].startswith("Emr.") and int(row["index"]) == error["error"][0]
    ]
    assert "Emr.OrganisationExists" == name
    assert ("Id", facts.accounts["neighbour"]) == failed["signer"]
    assert ("Emr", ("register_organisation", {"operators": []})) == failed["call"]
