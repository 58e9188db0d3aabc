"""Makes one of everything happen on a chain, for tests that find it out again."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain import SubstrateChain, SubstrateSubmitter, calls
from caregrid.chain.port import AuditOutcome as Outcome
from caregrid.chain.port import (
    Escrowed,
    HealthReport,
    Inline,
    IntegrityReport,
    PatientScope,
    Pending,
    ProofScheme,
    RecordScope,
)
from caregrid.errors import CallRejected
from caregrid.keys import Identity
from caregrid.records import ObjectEntry, RecordEntry, RecordFormat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.chain import Call

#: The example of docs/reference/chain.md.
RECORD: Final = bytes.fromhex("0198a1b2c3d47e5f8a6b0c1d2e3f4a5b")
KEPT: Final = bytes.fromhex("0198a1b2c3d47e5f8a6b0c1d2e3f4a5c")
ERASED: Final = bytes.fromhex("0198a1b2c3d47e5f8a6b0c1d2e3f4a5d")
PATIENT: Final = bytes(range(32))
OWNED: Final = bytes(range(1, 33))  #: a patient with an account of his own
OBJECT: Final = bytes(range(2, 34))
SIGNATURE: Final = bytes(range(16))
PATTERN: Final = b"union\\s+select"
ESCROWED: Final = hashlib.sha256(b"a wrapped key").digest()
PROOF: Final = hashlib.sha256(b"a proof").digest()
NETWORK: Final = ipaddress.ip_network("192.0.2.0/24")
UNBLOCKED: Final = ipaddress.ip_network("2001:db8::/32")

PEOPLE: Final = ("hospital", "operator", "member", "reader", "colleague", "visitor", "owner", "neighbour")
ALLOWANCE: Final = 100 * 10**12
#: Blocks after which the visitor's grant ends: enough for it to be included before.
VISIT: Final = 8


@dataclass(frozen=True)
class Facts:
    """What has happened, and in which blocks."""

    accounts: Mapping[str, bytes]
    first: int  #: nothing had happened at this block
    granted: int  #: all grants stood at this block
    last: int  #: all had happened at this block
    expiry: int  #: of all grants but the visitor's
    visit: int  #: expiry of the visitor's grant
    challenged: int
    blocks: Mapping[str, int] = field(default_factory=dict)  #: in which of them something was done


def records() -> list[RecordEntry]:
    """Return the three records, one behind the other."""
    return [
        RecordEntry(
            record_id=record,
            patient_id=PATIENT,
            offset=1000 * number,
            length=900 + number,
            digest=hashlib.sha256(record).digest(),
            format=RecordFormat.FHIR_R4_JSON,
        )
        for number, record in enumerate((RECORD, KEPT, ERASED))
    ]


def happen(url: str) -> Facts:
    """Make it happen; takes some seconds for each of its rounds."""
    return asyncio.run(_happen(url))


async def _happen(url: str) -> Facts:
    async with AsyncExitStack() as stack:
        chain = SubstrateChain([url])
        stack.push_async_callback(chain.close)
        people = {name: Identity.from_uri(f"//chain//{name}") for name in PEOPLE}
        submitters = {
            name: SubstrateSubmitter([url], account=one.account, sign=one.sign)
            for name, one in {**people, "alice": Identity.from_uri("//Alice")}.items()
        }
        for submitter in submitters.values():
            stack.push_async_callback(submitter.close)
        return await _Scene(chain, people, submitters).play()


@dataclass
class _Scene:
    chain: SubstrateChain
    people: Mapping[str, Identity]
    submitters: Mapping[str, SubstrateSubmitter]

    async def play(self) -> Facts:
        accounts = {name: one.account for name, one in self.people.items()}
        first = await self._head()
        await self._round(
            alice=[calls.batch_all([calls.transfer(one, ALLOWANCE) for one in accounts.values()])]
        )
        founded = await self._round(**self._founding(accounts))
        head = await self._head()
        expiry, visit = head + 1000, head + VISIT
        granted = await self._round(**self._granting(accounts, expiry, visit))
        challenged = founded["hospital"][-1] + 1
        ended, _ = await asyncio.gather(
            self._round(**self._ending(accounts, challenged)),
            self._fail("neighbour", calls.register_organisation([])),
        )
        await self._reach(visit)
        return Facts(
            accounts=accounts,
            first=first,
            granted=max(max(each) for each in granted.values()),
            last=await self._head(),
            expiry=expiry,
            visit=visit,
            challenged=challenged,
            blocks={
                "committed": founded["hospital"][5],
                "emergency": granted["member"][0],
                **dict(zip(("revoked", "erased", "health", "integrity"), ended["operator"], strict=False)),
            },
        )

    def _founding(self, accounts: Mapping[str, bytes]) -> dict[str, list[Call]]:
        hospital, operator = accounts["hospital"], accounts["operator"]
        entry = ObjectEntry(object_id=OBJECT, size=3000, record_count=3, manifest_root=bytes(32))
        return {
            "hospital": [
                calls.register_organisation([operator]),
                calls.set_emergency_members([accounts["member"]]),
                calls.register_patient(hospital, PATIENT),
                calls.register_patient(hospital, OWNED, accounts["owner"]),
                calls.store_emr_batch(hospital, entry, records()),
                calls.commit_proof(hospital, OBJECT, key=bytes(96), tags=bytes(32)),
                calls.add_proxy(operator),
            ],
            "neighbour": [calls.register_organisation([])],
            "reader": [calls.set_encryption_key(self.people["reader"].encryption.public_key)],
        }

    @staticmethod
    def _granting(accounts: Mapping[str, bytes], expiry: int, visit: int) -> dict[str, list[Call]]:
        hospital, reader = accounts["hospital"], accounts["reader"]
        escrowed, inline = (
            Escrowed(digest=ESCROWED, key_version=1),
            Inline(wrapped=bytes(1168), key_version=1),
        )
        record, kept = RecordScope(record_id=RECORD), RecordScope(record_id=KEPT)
        patient = PatientScope(patient_id=PATIENT)
        grants: list[tuple[Any, bytes, int, str, Any]] = [
            (record, reader, expiry, "Treatment", escrowed),
            (kept, reader, expiry, "Payment", inline),
            (record, accounts["visitor"], visit, "Operations", Pending()),
            (patient, accounts["colleague"], expiry, "Research", Pending()),
        ]
        return {
            "operator": [
                *(
                    calls.grant_access(scope, who, expires_at=end, purpose=purpose, key=key)
                    for scope, who, end, purpose, key in grants
                ),
                calls.block_ip(hospital, NETWORK, reason="Scanning", expires_at=expiry),
                calls.block_ip(hospital, UNBLOCKED, reason="Policy", expires_at=expiry),
                calls.register_signature(
                    hospital, SIGNATURE, format="Regex", severity="High", pattern=PATTERN
                ),
            ],
            "member": [calls.open_emergency_access(record, "ThreatToLife")],
            "neighbour": [
                calls.block_ip(accounts["neighbour"], NETWORK, reason="BruteForce", expires_at=expiry)
            ],
            "colleague": [calls.request_access(KEPT, purpose="Research", expires_at=expiry)],
        }

    @staticmethod
    def _ending(accounts: Mapping[str, bytes], challenged: int) -> dict[str, list[Call]]:
        hospital = accounts["hospital"]
        integrity = IntegrityReport(
            object_id=OBJECT,
            scheme=ProofScheme.PUBLIC,
            outcome=Outcome.PASSED,
            challenged_at=challenged,
            proof_digest=PROOF,
        )
        return {
            "operator": [
                calls.revoke_access(PatientScope(patient_id=PATIENT), accounts["colleague"]),
                calls.erase_record(hospital, ERASED),
                calls.report_storage_health(
                    hospital, [HealthReport(object_id=OBJECT, health=875_000, replicas=2, nodes=11)]
                ),
                calls.report_integrity(hospital, [integrity]),
                calls.unblock_ip(hospital, UNBLOCKED),
            ]
        }

    async def _round(self, **wanted: Sequence[Call]) -> dict[str, list[int]]:
        """Make everybody's calls and return the blocks of each: on a busy machine not always the same."""
        done = await asyncio.gather(*(self.submitters[who].submit_many(what) for who, what in wanted.items()))
        blocks: dict[str, list[int]] = {who: [] for who in wanted}
        for who, receipts in zip(wanted, done, strict=True):
            for receipt in receipts:
                if isinstance(receipt, Exception):
                    raise receipt
                blocks[who].append(receipt.block.number)
        return blocks

    async def _fail(self, who: str, call: Call) -> None:
        with suppress(CallRejected):
            await self.submitters[who].submit(call)

    async def _head(self) -> int:
        return (await self.chain.finalized_head()).number

    async def _reach(self, number: int) -> None:
        await anext(self.chain.finalized_blocks(number))
