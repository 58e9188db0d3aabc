"""The outside world as the sidecar uses it; the supervisor builds the real one, tests pass twins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

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
    now: Callable[[], datetime] = utc_now

    @property
    def on_chain(self) -> ChainPorts:
        """The chain alone."""
        return ChainPorts(chain=self.chain, submitter=self.submitter, now=self.now)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainPorts:
    """The chain alone, for what needs neither storage nor keys of records."""

    chain: Chain
    submitter: Submitter
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


#: Bounds on what a cache takes; more is never kept.
MAX_CACHE_KEY_BYTES: Final = 256
MAX_CACHE_VALUE_BYTES: Final = 256 * 1024


class Cache(ABC):
    """Remembers values for a while, or not: every answer may be None, and none ever raises.

    Nothing may depend on it but speed. What is put there leaves this process, so never put anything secret.
    """

    @abstractmethod
    async def get(self, key: bytes) -> bytes | None:
        """Return what was put under a key and is still remembered."""

    @abstractmethod
    async def put(self, key: bytes, value: bytes, *, ttl_s: float) -> None:
        """Remember a value for at most this long, if it is within the bounds."""

    @abstractmethod
    async def close(self) -> None:
        """Let go."""


def fits_cache(key: bytes, value: bytes = b"") -> bool:
    """Return whether a cache would take this."""
    return len(key) <= MAX_CACHE_KEY_BYTES and len(value) <= MAX_CACHE_VALUE_BYTES
