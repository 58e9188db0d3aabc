"""Every error that CareGrid raises, in one tree.

::

    CaregridError
    ├── Recoverable                 the same call may succeed later, unchanged
    │   ├── ChainUnreachable
    │   ├── ChainTimeout
    │   │   └── CallLapsed
    │   ├── ChainBusy
    │   ├── StorageUnreachable
    │   ├── TerritoryUnusable
    │   ├── SidecarUnreachable
    │   ├── QueueFull
    │   ├── DiskLow
    │   ├── RateLimited
    │   ├── ContentStalled
    │   ├── DatabaseUnreachable
    │   ├── ChannelUnreachable
    │   ├── TerminologyUnreachable
    │   ├── KeyStoreUnreachable
    │   ├── NotYetAnchored
    │   ├── KeyNotDelivered
    │   ├── ProofOverdue
    │   ├── ProofMissing
    │   └── ChallengeEarly
    └── Fatal                       the same call will fail again; the message says what to change
        ├── InputInvalid
        │   ├── InputMissing
        │   ├── InputEmpty
        │   ├── InputTooLarge
        │   │   └── ObjectTooLarge
        │   ├── JsonBroken
        │   ├── MediaTypeUnsupported
        │   ├── DefinitionUnusable
        │   ├── ContentAltered
        │   ├── WorkerUnknown
        │   ├── Conflict
        │   └── ValidationFailed
        ├── NotFound
        │   ├── RecordUnknown
        │   ├── RecordErased
        │   ├── PatientUnknown
        │   ├── ObjectUnknown
        │   ├── TagsUnknown
        │   └── CommitmentUnknown
        ├── AccessRefused
        │   ├── NoGrant
        │   ├── GrantExpired
        │   ├── WrongKey
        │   │   └── KeyVersionUnknown
        │   ├── NoEncryptionKey
        │   ├── ChannelRefused
        │   ├── WebhookRefused
        │   ├── ScopeMissing
        │   └── Unauthorised
        │       ├── RequestReplayed
        │       └── ClockSkewed
        ├── IntegrityFailed
        │   ├── DigestMismatch
        │   ├── FileIdMismatch
        │   ├── SealBroken
        │   │   ├── SealForeign
        │   │   ├── SealFormatUnknown
        │   │   └── SealTruncated
        │   ├── FragmentsMissing
        │   ├── FragmentLost
        │   ├── ProofFailed
        │   ├── ChallengeMismatch
        │   └── CommitmentMismatch
        ├── CallRejected            the chain refused the call; :mod:`caregrid.chain.refusals` has
        │                           a subclass for each error of its pallets
        ├── StateDiscarded
        ├── KeyStoreLocked
        ├── PortTaken
        ├── ConfigInvalid
        └── ProtocolViolation       the other side answered outside its protocol

Each class owns a stable JSON ``code`` and a process ``exit_code``; a test freezes the table.
No message ever carries plaintext, key material, tokens or identities.
"""

from __future__ import annotations

from typing import Any, ClassVar


class CaregridError(Exception):
    """CareGrid could not do what was asked."""

    code: ClassVar[str] = "CAREGRID_ERROR"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])

    def facts(self) -> dict[str, Any]:
        """Return the public facts of this error, fit for JSON."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


class Recoverable(CaregridError):
    """A passing fault: try again later."""

    code = "RECOVERABLE"
    exit_code = 75


class ChainUnreachable(Recoverable):
    """No configured chain endpoint answered; check that the node runs and the URL is right."""

    code = "CHAIN_UNREACHABLE"
    exit_code = 20


class ChainTimeout(Recoverable):
    """The chain did not finalize in time; the outcome is unknown until the record is looked up."""

    code = "CHAIN_TIMEOUT"
    exit_code = 21

    def __init__(self, message: str | None = None, *, settled_at: int | None = None) -> None:
        super().__init__(message)
        #: Once this block is final, what the chain shows is the outcome; None when nobody can tell.
        self.settled_at = settled_at


class CallLapsed(ChainTimeout):
    """The call was not included in time and never will be; it changed nothing, so send it again."""

    code = "CALL_LAPSED"
    exit_code = 27


class ChainBusy(Recoverable):
    """More calls wait for the chain than there is room for; submit again when some are through."""

    code = "CHAIN_BUSY"
    exit_code = 28


class StorageUnreachable(Recoverable):
    """The storage gateway did not answer; check that it runs and the URL is right."""

    code = "STORAGE_UNREACHABLE"
    exit_code = 30


class TerritoryUnusable(Recoverable):
    """The storage territory is missing, expired or full; buy, renew or expand it, then what waits goes on."""

    code = "TERRITORY_UNUSABLE"
    exit_code = 31


class SidecarUnreachable(Recoverable):
    """The sidecar did not answer; start it with `caregrid sidecar run` or check its URL."""

    code = "SIDECAR_UNREACHABLE"
    exit_code = 40


class QueueFull(Recoverable):
    """The intake queue is full; submit again when it has drained."""

    code = "QUEUE_FULL"
    exit_code = 41


class DiskLow(Recoverable):
    """Free disk is below the configured minimum; free some space, then submit again."""

    code = "DISK_LOW"
    exit_code = 42


class DatabaseUnreachable(Recoverable):
    """The database does not answer; check that PostgreSQL runs and `database.url` is right."""

    code = "DATABASE_UNREACHABLE"
    exit_code = 44


class CacheUnreachable(Recoverable):
    """The cache does not answer; check that Redis runs and `redis.url` is right. Nothing depends on it."""

    code = "CACHE_UNREACHABLE"
    exit_code = 80


class ChannelUnreachable(Recoverable):
    """A recipient's channel did not take a message; it is tried again."""

    code = "CHANNEL_UNREACHABLE"
    exit_code = 46


class TerminologyUnreachable(Recoverable):
    """The terminology server did not answer; check that it runs and its URL is right, or require it not."""

    code = "TERMINOLOGY_UNREACHABLE"
    exit_code = 49


class KeyStoreUnreachable(Recoverable):
    """The key store does not answer, or is sealed; check that Vault or the token runs and can be reached."""

    code = "KEY_STORE_UNREACHABLE"
    exit_code = 62


class RateLimited(Recoverable):
    """Too many requests at once; wait as long as the answer's Retry-After says."""

    code = "RATE_LIMITED"
    exit_code = 45

    def __init__(self, message: str | None = None, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s  #: when there is room again


class ContentStalled(Recoverable):
    """The content stopped coming, or came too slowly; send it again."""

    code = "CONTENT_STALLED"
    exit_code = 48


class NotYetAnchored(Recoverable):
    """The record is accepted but not finalized on chain yet; wait and ask again."""

    code = "NOT_YET_ANCHORED"
    exit_code = 43

    def __init__(self, message: str | None = None, *, submission: str | None = None) -> None:
        super().__init__(message)
        self.submission = submission  #: what to ask for, in hex


class KeyNotDelivered(Recoverable):
    """The grant stands, but the custodian has not delivered its key yet; ask again in some blocks."""

    code = "KEY_NOT_DELIVERED"
    exit_code = 79


class ProofOverdue(Recoverable):
    """A storage node did not prove in time what it holds; ask it the same again later."""

    code = "PROOF_OVERDUE"
    exit_code = 33


class ProofMissing(Recoverable):
    """Not every storage node that was asked has answered; nothing is proved of the others."""

    code = "PROOF_MISSING"
    exit_code = 34


class ChallengeEarly(Recoverable):
    """The blocks that make the challenge are not final yet; wait for them."""

    code = "CHALLENGE_EARLY"
    exit_code = 35


class Fatal(CaregridError):
    """A fault that will not pass by itself."""

    code = "FATAL"
    exit_code = 1


class InputInvalid(Fatal):
    """The input is not acceptable."""

    code = "INPUT_INVALID"
    exit_code = 65


class InputMissing(InputInvalid):
    """There is no such file; check the path."""

    code = "INPUT_MISSING"
    exit_code = 66


class InputEmpty(InputInvalid):
    """The input is empty; there is nothing to store."""

    code = "INPUT_EMPTY"
    exit_code = 67


class InputTooLarge(InputInvalid):
    """The input is larger than the configured limit."""

    code = "INPUT_TOO_LARGE"
    exit_code = 68

    def __init__(self, message: str | None = None, *, limit: int | None = None) -> None:
        if message is None and limit is not None:
            message = f"the input is larger than the limit of {limit} bytes"
        super().__init__(message)
        self.limit = limit


class ObjectTooLarge(InputTooLarge):
    """The object would have more than 1,000 segments of 32 MiB (31.25 GiB); split it."""

    code = "OBJECT_TOO_LARGE"
    exit_code = 68


class JsonBroken(InputInvalid):
    """The input is not valid JSON."""

    code = "JSON_BROKEN"
    exit_code = 69


class MediaTypeUnsupported(InputInvalid):
    """The content is of a type, or in an encoding, that is not taken in here."""

    code = "MEDIA_TYPE_UNSUPPORTED"
    exit_code = 70


class DefinitionUnusable(InputInvalid):
    """A profile, value set or code system cannot be used; the message says which and why."""

    code = "DEFINITION_UNUSABLE"
    exit_code = 74


class ContentAltered(InputInvalid):
    """The content is not what its digest says; it was changed on the way, so send it again."""

    code = "CONTENT_ALTERED"
    exit_code = 71


class WorkerUnknown(InputInvalid):
    """There is no worker of this name; `caregrid sidecar status` lists them."""

    code = "WORKER_UNKNOWN"
    exit_code = 72


class Conflict(InputInvalid):
    """This was asked for before, with other particulars; use a fresh id or key."""

    code = "CONFLICT"
    exit_code = 73


class ValidationFailed(InputInvalid):
    """The record does not conform to FHIR; the OperationOutcome says where."""

    code = "VALIDATION_FAILED"
    exit_code = 64

    def __init__(self, message: str | None = None, *, outcome: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        #: FHIR OperationOutcome: paths and rules only, never a value of the record.
        self.outcome = outcome


class NotFound(Fatal):
    """There is no such thing."""

    code = "NOT_FOUND"
    exit_code = 10


class RecordUnknown(NotFound):
    """No record with this id is anchored on the chain; check the id."""

    code = "RECORD_UNKNOWN"
    exit_code = 11


class RecordErased(NotFound):
    """The record was erased, and its keys with it; nobody can read it again, so drop references to it."""

    code = "RECORD_ERASED"
    exit_code = 38


class PatientUnknown(NotFound):
    """No patient with this id is registered on the chain; register the patient first."""

    code = "PATIENT_UNKNOWN"
    exit_code = 12


class ObjectUnknown(NotFound):
    """The storage network holds no object with this file id."""

    code = "OBJECT_UNKNOWN"
    exit_code = 13


class TagsUnknown(NotFound):
    """The storage node keeps no such tags for the fragment; tag the object again."""

    code = "TAGS_UNKNOWN"
    exit_code = 36


class CommitmentUnknown(NotFound):
    """The chain holds no commitment to proofs of this object; make one with `caregrid audit commit`."""

    code = "COMMITMENT_UNKNOWN"
    exit_code = 37


class AccessRefused(Fatal):
    """This account may not do that."""

    code = "ACCESS_REFUSED"
    exit_code = 14


class NoGrant(AccessRefused):
    """This account holds no live grant for the record; ask the patient or the custodian for one."""

    code = "NO_GRANT"
    exit_code = 15


class GrantExpired(AccessRefused):
    """The grant for this record has expired; ask for it to be extended."""

    code = "GRANT_EXPIRED"
    exit_code = 16


class WrongKey(AccessRefused):
    """The key does not open this; check which key file and passphrase are in use."""

    code = "WRONG_KEY"
    exit_code = 17


class KeyVersionUnknown(WrongKey):
    """The key store has no such version of its master key; restore the store, or the version was retired."""

    code = "KEY_VERSION_UNKNOWN"
    exit_code = 63


class NoEncryptionKey(AccessRefused):
    """The grantee has not registered an encryption key; he must call `set_encryption_key` first."""

    code = "NO_ENCRYPTION_KEY"
    exit_code = 18


class ScopeMissing(AccessRefused):
    """The token or account may not make this kind of request; use one with the scope that is named."""

    code = "SCOPE_MISSING"
    exit_code = 26


class Unauthorised(AccessRefused):
    """The request is not signed by, or carries no token of, an account that may make it."""

    code = "UNAUTHORISED"
    exit_code = 19


class ChannelRefused(AccessRefused):
    """A recipient's channel refuses a message, or may not be used; check its address and the settings."""

    code = "CHANNEL_REFUSED"
    exit_code = 47


class WebhookRefused(AccessRefused):
    """The webhook is not signed with the secret that was agreed on; do not act on it."""

    code = "WEBHOOK_REFUSED"
    exit_code = 23


class RequestReplayed(Unauthorised):
    """This signed request was seen before; sign a new one with a fresh nonce."""

    code = "REQUEST_REPLAYED"
    exit_code = 24


class ClockSkewed(Unauthorised):
    """The request was signed too long ago, or in the future; set this machine's clock."""

    code = "CLOCK_SKEWED"
    exit_code = 25


class IntegrityFailed(Fatal):
    """Stored data is not what was anchored; nothing was returned."""

    code = "INTEGRITY_FAILED"
    exit_code = 50


class DigestMismatch(IntegrityFailed):
    """The bytes read do not have the SHA-256 digest anchored on the chain."""

    code = "DIGEST_MISMATCH"
    exit_code = 51


class FileIdMismatch(IntegrityFailed):
    """The object's bytes do not have the file id they are stored under."""

    code = "FILE_ID_MISMATCH"
    exit_code = 52


class SealBroken(IntegrityFailed):
    """The sealed record fails authentication: it is cut, reordered, altered or of another record."""

    code = "SEAL_BROKEN"
    exit_code = 53


class SealForeign(SealBroken):
    """The record does not open with this data key and id; check that both are its own and it is whole."""

    code = "SEAL_FOREIGN"
    exit_code = 53


class SealFormatUnknown(SealBroken):
    """This is no sealed record of a format known here; check the file, or update CareGrid."""

    code = "SEAL_FORMAT_UNKNOWN"
    exit_code = 53


class SealTruncated(SealBroken):
    """The sealed record ends too early; fetch all of it again."""

    code = "SEAL_TRUNCATED"
    exit_code = 53


class FragmentsMissing(IntegrityFailed):
    """Fewer than four intact fragments of a segment can be reached; bring storage nodes back."""

    code = "FRAGMENTS_MISSING"
    exit_code = 54


class FragmentLost(IntegrityFailed):
    """The storage node has not got the fragment, or found it damaged; have the object repaired."""

    code = "FRAGMENT_LOST"
    exit_code = 55


class ProofFailed(IntegrityFailed):
    """A storage node gave a wrong proof: it does not hold what was committed to."""

    code = "PROOF_FAILED"
    exit_code = 56


class ChallengeMismatch(IntegrityFailed):
    """This is not the challenge that the chain gives; the bundle is refused."""

    code = "CHALLENGE_MISMATCH"
    exit_code = 57


class CommitmentMismatch(IntegrityFailed):
    """Key or tags are not what was committed to on the chain; the bundle is refused."""

    code = "COMMITMENT_MISMATCH"
    exit_code = 58


class CallRejected(Fatal):
    """The chain refused the call; the message names the refusal."""

    code = "CALL_REJECTED"
    exit_code = 22

    def __init__(self, *, pallet: str, name: str, docs: str = "") -> None:
        super().__init__(f"the chain refused the call: {pallet}.{name}" + (f": {docs}" if docs else ""))
        self.pallet, self.name = pallet, name


class StateDiscarded(Fatal):
    """No endpoint keeps the state of that block any more; name one with `--state-pruning=archive`."""

    code = "STATE_DISCARDED"
    exit_code = 29


class KeyStoreLocked(Fatal):
    """The key store could not be opened; check the passphrase and the key file."""

    code = "KEY_STORE_LOCKED"
    exit_code = 60


class PortTaken(Fatal):
    """Another process listens on this port; choose another port or stop that process."""

    code = "PORT_TAKEN"
    exit_code = 61


class ConfigInvalid(Fatal):
    """The configuration is not usable."""

    code = "CONFIG_INVALID"
    exit_code = 78


class ProtocolViolation(Fatal):
    """The other side answered in a way its protocol does not allow."""

    code = "PROTOCOL_VIOLATION"
    exit_code = 76
