"""The outside world as the sidecar uses it; the supervisor builds the real one, tests pass twins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from caregrid.chain.answers import AnswerCounts
    from caregrid.chain.port import AuditOutcome, Chain, Submitter
    from caregrid.fhir.port import Validator
    from caregrid.keys.port import KeyStore
    from caregrid.preprocessing import PseudonymProfile
    from caregrid.proofs.podr2 import PublicKey, SecretKey
    from caregrid.proofs.proving_store import ProvingStore
    from caregrid.storage.port import ObjectStore


def utc_now() -> datetime:
    """Return the aware UTC time."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProofRecord:
    """What a storage network's own record of proofs says of one object."""

    outcome: AuditOutcome
    facts: Mapping[str, Any]  #: of which state that was read, and what it came to; fit for JSON, no names


class NetworkProofs(ABC):
    """Proofs of storage that the network demands of its nodes itself, and keeps a record of."""

    @abstractmethod
    async def look(self, object_id: bytes) -> ProofRecord | None:
        """Return what the record says now; None of an object that it does not know.

        Raises:
            CaregridError: the record cannot be read.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Proving:
    """Storage nodes that answer challenges of ours, and the keys that their tags are made with."""

    store: ProvingStore
    secret: SecretKey  #: of the public scheme
    public: PublicKey  #: what anybody verifies its proofs with
    private: SecretKey  #: of the private scheme


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Everything the sidecar talks to."""

    chain: Chain
    submitter: Submitter
    store: ObjectStore
    key_store: KeyStore
    validator: Validator
    pseudonyms: PseudonymProfile | None = None  #: replaces identifiers in FHIR before it is sealed
    proofs: NetworkProofs | None = None  #: None where the storage network keeps no record of proofs
    proving: Proving | None = None  #: None where storage nodes are not asked for proofs of ours
    cached: AnswerCounts | None = None  #: what a cache knew of the chain's answers; None: there is none
    now: Callable[[], datetime] = utc_now

    @property
    def on_chain(self) -> ChainPorts:
        """The chain alone."""
        return ChainPorts(chain=self.chain, submitter=self.submitter, cached=self.cached, now=self.now)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainPorts:
    """The chain alone, for what needs neither storage nor keys of records."""

    chain: Chain
    submitter: Submitter
    cached: AnswerCounts | None = None  #: as of `Ports`
    now: Callable[[], datetime] = utc_now


class Election(ABC):
    """Who of the processes with one signing account runs the clock and submits to the chain."""

    @property
    @abstractmethod
    def leads(self) -> bool:
        """Whether this process leads now; no other one of the account ever says so at the same time."""

    @abstractmethod
    async def wait_until(self, *, leads: bool) -> None:
        """Return as soon as `leads` is this."""

    @abstractmethod
    async def run(self) -> None:
        """Campaign until cancelled; then lead no more. Never returns by itself."""


class TaskRunner(ABC):
    """Runs named functions in the background: of each name at most one runs, and at most one waits.

    A function that raises is not run again for that; the next `defer` runs it.
    """

    @abstractmethod
    def register(self, name: str, function: Callable[[int], Awaitable[object]]) -> None:
        """Say what a name runs; before `run`, and the same in every process."""

    @abstractmethod
    async def defer(self, name: str, *, height: int) -> bool:
        """Have a function run with this height; False says that one waits already, which stands for it.

        Raises:
            DatabaseUnreachable: it could not be written down.
        """

    @abstractmethod
    async def run(self) -> None:
        """Run what is deferred until cancelled; what runs then is cancelled, too, within a few seconds."""


class PeriodicTasks(TaskRunner):
    """A runner that all processes share, and that knows by itself when something is to be done."""

    @abstractmethod
    def register_periodic(self, name: str, cron: str, function: Callable[[int], Awaitable[object]]) -> None:
        """Have a name run by itself at the times of a crontab, in UTC.

        Say so before `run`, and the same in every process. Of each time it runs once over all processes, if
        one is up within ten minutes. The function is given the time, in seconds since 1970.
        """
