"""Every call of CareGrid's pallets in its largest form, in rounds of one kind of call each.

What a round needs on the chain was put there by those before it; nameless rounds do only that. Batches are
full, lists of operators and members too, keys stand inline, and accounts that pay differ where they may.
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from substrateinterface import Keypair

from caregrid.chain import (
    FULL_HEALTH,
    AuditOutcome,
    BlockReason,
    EmergencyReason,
    ExpirableGrant,
    HealthReport,
    Inline,
    IntegrityReport,
    KeyDelivery,
    PatientScope,
    Pending,
    ProofScheme,
    Purpose,
    RecordScope,
    Severity,
    SignatureFormat,
    calls,
    limits,
)
from caregrid.records import ObjectEntry, RecordEntry, RecordFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from caregrid.chain import IpNet, Scope
    from tests.bench.chain.signing import Signed

#: Calls in a round, so that their time stands out from that of an idle block.
MANY: Final = 16
#: Batches in a round; each is heavy enough to be seen.
FEW: Final = 2
#: Blocks until something expires that is to be cleaned up: enough to sign and include what makes it.
SOON: Final = 8
#: Blocks until anything else expires, and less than emergency access lasts.
LATER: Final = 1_000

_WRAPPED: Final = Inline(wrapped=bytes(1_168), key_version=1)
_PLANCKS: Final = 10**15


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """Calls of one kind, to be put into blocks that hold no others."""

    calls: Sequence[Signed]
    name: str | None = None  #: `Pallet.call`, when it is to be measured
    told: int = 0  #: events that CareGrid's pallets deposit at least
    block: int | None = None  #: the number of the block that must hold it, where the time matters


@dataclass(kw_only=True)
class Scene:
    """Who and what there is. Take a round when the one before it is in a block."""

    height: Callable[[], int]
    treasurer: Keypair = field(default_factory=lambda: Keypair.create_from_uri("//Alice"))
    organisations: list[Keypair] = field(default_factory=lambda: _keypairs(MANY))
    operators: list[Keypair] = field(default_factory=lambda: _keypairs(limits.MAX_OPERATORS))
    #: Patients with wallets, clinicians with keys; each of the first is granted access by the one before.
    people: list[Keypair] = field(default_factory=lambda: _keypairs(calls.MAX_BATCH))
    #: Patients who decide for themselves, in the order of `people`.
    patients: list[bytes] = field(default_factory=lambda: _ids(calls.MAX_BATCH, 32))
    #: Patients for whom the organisation decides.
    managed: list[bytes] = field(default_factory=lambda: _ids(calls.MAX_BATCH, 32))
    #: Objects, and a record of each `patients` in one of them.
    objects: list[bytes] = field(default_factory=lambda: _ids(calls.MAX_BATCH, 32))
    own: list[bytes] = field(default_factory=lambda: _ids(calls.MAX_BATCH, 16))
    #: One record of each `managed`, all in one object.
    packed: list[bytes] = field(default_factory=lambda: _ids(calls.MAX_BATCH, 16))

    def rounds(self) -> Iterator[Round]:
        """Yield every round in the order in which they work."""
        yield from self._parties()
        yield from self._records()
        yield from self._reports()
        yield from self._claims()
        yield from self._grants()
        yield from self._batches_of_grants()
        yield from self._threats()

    @property
    def _account(self) -> bytes:
        return _account(self.organisations[0])

    @property
    def _operator(self) -> Keypair:
        return self.operators[0]

    @property
    def _member(self) -> Keypair:
        return self.people[0]

    def _parties(self) -> Iterator[Round]:
        payers = [*self.organisations, *self.people, self._operator]
        transfers = [calls.transfer(_account(one), _PLANCKS) for one in payers]
        yield Round(calls=[(self.treasurer, calls.batch_all(transfers))])
        others = [_account(one) for one in _keypairs(limits.MAX_OPERATORS)]
        founding = calls.register_organisation(others)
        yield _round("Emr.register_organisation", [(one, founding) for one in self.organisations])
        naming = calls.set_operators([_account(one) for one in self.operators])
        yield _round("Emr.set_operators", [(one, naming) for one in self.organisations])
        members = [_account(one) for one in self.people[: limits.MAX_EMERGENCY_MEMBERS]]
        role = calls.set_emergency_members(members)
        yield _round("Emr.set_emergency_members", [(one, role) for one in self.organisations])
        yield _round(
            "Emr.set_encryption_key",
            [(one, calls.set_encryption_key(secrets.token_bytes(1_216))) for one in self.people],
        )
        controlled: list[tuple[bytes, bytes | None]] = [
            (one, _account(who)) for one, who in zip(self.patients, self.people, strict=True)
        ]
        groups: list[list[tuple[bytes, bytes | None]]] = [controlled, [(one, None) for one in self.managed]]
        yield _round(
            "Emr.register_patients",
            [(self._operator, calls.register_patients(self._account, group)) for group in groups],
            each=calls.MAX_BATCH,
        )
        yield _round(
            "Emr.register_patient",
            [
                (self._operator, calls.register_patient(self._account, one, _account(self.people[0])))
                for one in _ids(MANY, 32)
            ],
        )

    def _records(self) -> Iterator[Round]:
        pack = _pack(secrets.token_bytes(32))
        records = [_record(*both) for both in zip(_ids(MANY, 16), self.managed, strict=False)]
        yield _round(
            "Emr.store_emr",
            [(self._operator, calls.store_emr(self._account, pack, record)) for record in records],
        )
        fresh = [(_ids(calls.MAX_BATCH, 16), self.patients) for _ in range(FEW)]
        batches = [
            [_record(*both) for both in zip(ids, patients, strict=True)]
            for ids, patients in [*fresh, (self.packed, self.managed)]
        ]
        yield _round(
            "Emr.store_emr_batch",
            [(self._operator, calls.store_emr_batch(self._account, pack, batch)) for batch in batches],
            each=calls.MAX_BATCH,
        )
        apart = zip(self.objects, self.own, self.patients, strict=True)
        yield Round(
            calls=[
                (self._operator, calls.store_emr(self._account, _pack(object_id), _record(record, patient)))
                for object_id, record, patient in apart
            ]
        )

    def _reports(self) -> Iterator[Round]:
        key, digest = secrets.token_bytes(96), secrets.token_bytes(32)
        yield _round(
            "Emr.commit_proof",
            [
                (self._operator, calls.commit_proof(self._account, one, key=key, tags=digest))
                for one in self.objects
            ],
        )
        health = [
            HealthReport(object_id=one, health=FULL_HEALTH, replicas=3, nodes=12) for one in self.objects
        ]
        yield _round(
            "Emr.report_storage_health",
            [(self._operator, calls.report_storage_health(self._account, health))] * FEW,
            each=calls.MAX_BATCH,
        )
        verdicts = [
            IntegrityReport(
                object_id=one,
                scheme=ProofScheme.PUBLIC,
                outcome=AuditOutcome.PASSED,
                challenged_at=self.height(),
                proof_digest=digest,
            )
            for one in self.objects
        ]
        yield _round(
            "Emr.report_integrity",
            [(self._operator, calls.report_integrity(self._account, verdicts))] * FEW,
            each=calls.MAX_BATCH,
        )

    def _claims(self) -> Iterator[Round]:
        """Patients get wallets; grants that the organisation paid stand on their records meanwhile."""
        chosen = range(MANY)
        yield Round(
            calls=[self._grant(self._operator, self._packed(one), self.people[one]) for one in chosen]
        )
        yield _round(
            "Emr.offer_patient",
            [
                (self._operator, calls.offer_patient(self.managed[one], _account(self.people[MANY + one])))
                for one in chosen
            ],
        )
        yield _round(
            "Emr.claim_patient",
            [(self.people[MANY + one], calls.claim_patient(self.managed[one])) for one in chosen],
        )

    def _grants(self) -> Iterator[Round]:
        chosen = range(MANY)
        yield _round("Emr.request_access", [self._request(one, self.packed[one]) for one in chosen])
        # Answers a request, and replaces a grant that the organisation paid.
        yield _round(
            "Emr.grant_access",
            [
                self._grant(self.people[MANY + one], self._packed(one), self.people[one], inline=True)
                for one in chosen
            ],
        )
        yield _round(
            "Emr.revoke_access",
            [
                (
                    self.people[MANY + one],
                    calls.revoke_access(self._packed(one), _account(self.people[one])),
                )
                for one in chosen
            ],
        )
        yield Round(calls=[self._request(one + 1, self.own[one]) for one in chosen])
        yield _round(
            "Emr.deny_request",
            [
                (self.people[one], calls.deny_request(self.own[one], _account(self.people[one + 1])))
                for one in chosen
            ],
        )
        # Emergency access replaces a grant that the patient paid.
        yield Round(
            calls=[
                self._grant(self.people[one + 1], self._own(one + 1), self._member, inline=True)
                for one in chosen
            ]
        )
        reason = EmergencyReason.THREAT_TO_LIFE
        yield _round(
            "Emr.open_emergency_access",
            [(self._member, calls.open_emergency_access(self._own(one + 1), reason)) for one in chosen],
        )

    def _batches_of_grants(self) -> Iterator[Round]:
        everybody = range(calls.MAX_BATCH)
        yield Round(
            calls=[self._grant(self.people[one], self._own(one), self._next(one)) for one in everybody]
        )
        keys = [
            KeyDelivery(scope=self._own(one), grantee=_account(self._next(one)), key=_WRAPPED)
            for one in everybody
        ]
        yield _round(
            "Emr.deliver_keys",
            [(self._operator, calls.deliver_keys(self._account, keys))],
            each=calls.MAX_BATCH,
        )
        doomed = range(MANY, MANY + FEW)
        yield Round(
            calls=[
                self._grant(self._operator, self._packed(one), reader, inline=True)
                for one in doomed
                for reader in self.people[: limits.MAX_GRANTS_PER_SCOPE]
            ]
        )
        yield _round(
            "Emr.erase_record",
            [(self._operator, calls.erase_record(self._account, self.packed[one])) for one in doomed],
            each=limits.MAX_GRANTS_PER_SCOPE,
        )
        due = self.height() + SOON
        scopes = [PatientScope(patient_id=patient) for patient in self.patients]
        yield Round(
            calls=[
                self._grant(self.people[one], scopes[one], self._next(one), inline=True, until=due)
                for one in everybody
            ]
        )
        items = [ExpirableGrant(scope=scopes[one], grantee=_account(self._next(one))) for one in everybody]
        # In the very block in which they expire: its idle time would take them away.
        yield _round(
            "Emr.purge_expired",
            [(self.treasurer, calls.purge_expired(items))],
            each=calls.MAX_BATCH,
            block=due,
        )

    def _threats(self) -> Iterator[Round]:
        yield _round("Threats.block_ip", self._blocks(_networks(MANY), self.height() + LATER))
        yield _round(
            "Threats.unblock_ip",
            [(self._operator, calls.unblock_ip(self._account, net)) for net in _networks(MANY)],
        )
        due = self.height() + SOON
        yield Round(calls=self._blocks(_networks(limits.MAX_CLEANUP), due))
        yield _round(
            "Threats.cleanup_expired_blocks",
            [(self.treasurer, calls.cleanup_expired_blocks(limits.MAX_CLEANUP))],
            each=limits.MAX_CLEANUP,
            block=due,
        )
        signatures = _ids(MANY, 16)
        pattern = secrets.token_bytes(limits.MAX_PATTERN_LEN)
        form, severity = SignatureFormat.YARA, Severity.CRITICAL
        yield _round(
            "Threats.register_signature",
            [
                (
                    self._operator,
                    calls.register_signature(
                        self._account, one, format=form, severity=severity, pattern=pattern
                    ),
                )
                for one in signatures
            ],
        )
        yield _round(
            "Threats.retire_signature",
            [(self._operator, calls.retire_signature(self._account, one)) for one in signatures],
        )

    def _next(self, one: int) -> Keypair:
        return self.people[(one + 1) % len(self.people)]

    def _own(self, one: int) -> Scope:
        return RecordScope(record_id=self.own[one])

    def _packed(self, one: int) -> Scope:
        return RecordScope(record_id=self.packed[one])

    def _request(self, one: int, record: bytes) -> Signed:
        expires_at = self.height() + LATER
        call = calls.request_access(record, purpose=Purpose.RESEARCH, expires_at=expires_at)
        return self.people[one], call

    def _grant(
        self, who: Keypair, scope: Scope, reader: Keypair, *, inline: bool = False, until: int | None = None
    ) -> Signed:
        call = calls.grant_access(
            scope,
            _account(reader),
            expires_at=until or self.height() + LATER,
            purpose=Purpose.TREATMENT,
            key=_WRAPPED if inline else Pending(),
        )
        return who, call

    def _blocks(self, nets: Sequence[IpNet], expires_at: int) -> list[Signed]:
        reason = BlockReason.POLICY
        return [
            (self._operator, calls.block_ip(self._account, net, reason=reason, expires_at=expires_at))
            for net in nets
        ]


def _round(name: str, signed: Sequence[Signed], *, each: int = 1, block: int | None = None) -> Round:
    """Return a measured round, each of whose calls does so many things."""
    return Round(name=name, calls=signed, told=len(signed) * each, block=block)


def _keypairs(count: int) -> list[Keypair]:
    return [Keypair.create_from_seed(secrets.token_bytes(32)) for _ in range(count)]


def _ids(count: int, length: int) -> list[bytes]:
    return [secrets.token_bytes(length) for _ in range(count)]


def _account(keypair: Keypair) -> bytes:
    return bytes(keypair.public_key)


def _pack(object_id: bytes) -> ObjectEntry:
    return ObjectEntry(
        object_id=object_id,
        size=1 << 25,
        record_count=limits.MAX_RECORDS_PER_OBJECT,
        manifest_root=bytes(32),
    )


def _record(record_id: bytes, patient_id: bytes) -> RecordEntry:
    return RecordEntry(
        record_id=record_id,
        patient_id=patient_id,
        offset=0,
        length=1_000,
        digest=secrets.token_bytes(32),
        format=RecordFormat.FHIR_R4_JSON,
    )


def _networks(count: int) -> list[IpNet]:
    """Return networks of the range for documentation."""
    return [ipaddress.IPv6Network((0x20010DB8 << 96 | one << 64, 64)) for one in range(count)]
