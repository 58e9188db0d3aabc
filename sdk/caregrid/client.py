"""What applications use: submit records, read them, and decide who else may.

Two ways in. With a sidecar (*managed*), content goes to it over its authenticated API and it does the rest.
Without one (*client-side*), the client validates, seals, uploads and anchors by itself, as its own custodian,
and keeps the data key in a grant to itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Self

from caregrid import direct, errors
from caregrid.chain import Inline, PatientScope, RecordScope, SubstrateChain, SubstrateSubmitter, calls
from caregrid.disk import AtomicFile
from caregrid.intake import SidecarClient
from caregrid.keys import Identity, unwrap_data_key, wrap_data_key
from caregrid.profile import Profile
from caregrid.records import PATIENT_ID_LEN, RecordFormat
from caregrid.sealed import Opener
from caregrid.storage.failover import open_store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
    from pathlib import Path

    from caregrid.chain import Chain, Grant, Receipt, Record, Submitter
    from caregrid.content import MediaType
    from caregrid.feed import FeedEvent
    from caregrid.preferences import ChannelChoice, ChannelStatus
    from caregrid.statuses import BatchAnswer, BatchItem, FoundRecord, SubmissionStatus
    from caregrid.storage import ObjectStore

#: How long a grant lasts unless said otherwise: a day of two-second blocks.
DEFAULT_GRANT_BLOCKS: Final = 43_200
#: A pack's age limit, an upload and finality; minutes of margin for a busy site.
SETTLE_TIMEOUT_S: Final = 300.0
#: What `get` returns in memory; larger records are read with `download`.
MAX_IN_MEMORY: Final = 128 * 1024 * 1024


class EmrClient:
    """One identity's view of CareGrid. Use as an async context manager, or close it."""

    def __init__(
        self,
        *,
        identity: Identity,
        chain: Chain,
        submitter: Submitter,
        store: ObjectStore,
        organisation: bytes | None = None,
        sidecar: SidecarClient | None = None,
    ) -> None:
        self.identity = identity
        self.chain = chain
        self.submitter = submitter
        self.store = store
        #: The organisation this identity acts for; by default itself.
        self.organisation = organisation or identity.account
        self.sidecar = sidecar

    @classmethod
    async def from_profile(cls, path: Path) -> Self:
        """Read a profile and its key file; nothing is contacted yet.

        Raises:
            ConfigInvalid: the profile is missing or wrong.
            KeyStoreLocked: the passphrase does not open the identity.
        """
        profile = Profile.load(path)
        identity = await asyncio.to_thread(_load_identity, profile)
        account, sign = identity.account, identity.sign
        return cls(
            identity=identity,
            chain=SubstrateChain(profile.chain_urls),
            submitter=SubstrateSubmitter(profile.chain_urls, account=account, sign=sign),
            store=open_store(profile.gateways, account, sign, profile.territory),
            organisation=profile.organisation,
            sidecar=_sidecar(profile, identity),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Release every connection."""
        await self.chain.close()
        await self.submitter.close()
        await self.store.close()
        if self.sidecar is not None:
            await self.sidecar.close()

    async def register_patient(self, *, controller: bytes | None = None) -> bytes:
        """Register a patient under a new random id and return the id, once it is final."""
        patient_id = secrets.token_bytes(PATIENT_ID_LEN)
        await self.submitter.submit(calls.register_patient(self.organisation, patient_id, controller))
        return patient_id

    async def publish_encryption_key(self) -> int:
        """Register this identity's encryption key, unless it stands on chain already; return its version."""
        account, public_key = self.identity.account, self.identity.encryption.public_key
        present = await self.chain.encryption_key(account)
        if present is None or present.public_key != public_key:
            await self.submitter.submit(calls.set_encryption_key(public_key))
            present = await self.chain.encryption_key(account)
        if present is None:
            raise errors.ProtocolViolation("the chain reports a key set that it does not hold")
        return present.version

    async def submit(
        self,
        content: bytes | Path,
        *,
        patient_id: bytes,
        format: RecordFormat = RecordFormat.FHIR_R4_JSON,  # noqa: A002 - the field's name
        media_type: MediaType | None = None,
        idempotency_key: str | None = None,
        timeout_s: float = SETTLE_TIMEOUT_S,
    ) -> SubmissionStatus:
        """Submit a FHIR resource, a Bundle or a file, and return when every record of it is settled.

        Args:
            content: the bytes, or the path of a file.
            patient_id: 32 bytes, as registered.
            format: what the content is.
            media_type: CDA or HL7_V2, of BINARY content that is to be examined as such.
            idempotency_key: sending the same key again returns the same submission (managed way only).
            timeout_s: how long to wait; after that the records are safe, but not all anchored.

        Raises:
            InputMissing, InputEmpty, InputTooLarge: nothing was taken.
            ValidationFailed: (client-side way) the content does not conform; nothing was stored.
            PatientUnknown: no such patient on the chain.
            NotYetAnchored: time is up.
        """
        await asyncio.to_thread(require_content, content)
        if self.sidecar is None:
            return await self._submit_directly(content, patient_id, format, media_type)
        submission_id = await self.hand_over(
            self.sidecar,
            content,
            patient_id=patient_id,
            format=format,
            media_type=media_type,
            idempotency_key=idempotency_key,
        )
        return await self.sidecar.wait(submission_id, timeout_s=timeout_s)

    async def hand_over(
        self,
        sidecar: SidecarClient,
        content: bytes | Path,
        *,
        patient_id: bytes,
        format: RecordFormat,  # noqa: A002 - the field's name
        media_type: MediaType | None = None,
        idempotency_key: str | None = None,
    ) -> bytes:
        """Hand content of a registered patient to a sidecar; return the submission's id once it is durable.

        Raises: as `submit`, but for what comes later.
        """
        if await self.chain.patient(patient_id) is None:
            raise errors.PatientUnknown
        return await sidecar.submit(
            content,
            patient_id=patient_id,
            format=format,
            media_type=media_type,
            idempotency_key=idempotency_key,
        )

    async def _submit_directly(
        self,
        content: bytes | Path,
        patient_id: bytes,
        record_format: RecordFormat,
        media_type: MediaType | None,
    ) -> SubmissionStatus:
        await self.publish_encryption_key()
        return await direct.submit(
            content,
            patient_id=patient_id,
            record_format=record_format,
            media_type=media_type,
            identity=self.identity,
            chain=self.chain,
            submitter=self.submitter,
            store=self.store,
        )

    async def submit_many(self, items: Iterable[BatchItem]) -> AsyncGenerator[BatchAnswer]:
        """Hand many FHIR R4 resources to the sidecar; yield what became of each once it is durable.

        Raises:
            ConfigInvalid: the profile names no sidecar.
            SidecarUnreachable: it stopped answering; see `SidecarClient.submit_many`.
        """
        async with aclosing(self._managed().submit_many(items)) as answers:
            async for answer in answers:
                yield answer

    async def status(self, submission_id: bytes) -> SubmissionStatus:
        """Return how far a submission has come in the sidecar.

        Raises:
            ConfigInvalid: the profile names no sidecar.
            NotFound: it has no such submission.
        """
        return await self._managed().status(submission_id)

    async def find_records(
        self,
        *,
        patient_id: bytes | None = None,
        state: str | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> AsyncGenerator[FoundRecord]:
        """Yield the sidecar's records, the newest first; see `SidecarClient.find_records`.

        Raises:
            ConfigInvalid: the profile names no sidecar.
        """
        found = self._managed().find_records(patient_id=patient_id, state=state, since=since, until=until)
        async with aclosing(found) as records:
            async for record in records:
                yield record

    async def patients(self) -> AsyncGenerator[bytes]:
        """Yield the patients that the sidecar has seen.

        Raises:
            ConfigInvalid: the profile names no sidecar.
        """
        async with aclosing(self._managed().patients()) as patients:
            async for patient in patients:
                yield patient

    def _managed(self) -> SidecarClient:
        if self.sidecar is None:
            raise errors.ConfigInvalid("this asks a custodian's sidecar; name one in the profile")
        return self.sidecar

    async def record(self, record_id: bytes) -> Record:
        """Return what the chain says of a record.

        Raises:
            RecordUnknown: it is not anchored.
        """
        record = await self.chain.record(record_id)
        if record is None:
            raise errors.RecordUnknown
        return record

    async def get(self, record_id: bytes) -> bytes:
        """Return a record's content.

        Raises:
            RecordUnknown: it is not anchored.
            NoGrant, GrantExpired, WrongKey: this identity may not read it.
            IntegrityFailed: the stored bytes are not the anchored ones; nothing is returned.
            InputTooLarge: it is too large for memory; use `download`.
        """
        record = await self.record(record_id)
        if record.length > MAX_IN_MEMORY:
            raise errors.InputTooLarge(limit=MAX_IN_MEMORY)
        data_key = await self._data_key(record)
        async with aclosing(self._opened(record, data_key)) as content:
            return b"".join([chunk async for chunk in content])

    async def download(
        self, record_id: bytes, target: Path, *, progress: Callable[[int, int], None] | None = None
    ) -> int:
        """Write a record's content to a file and return its size; the file appears whole or not at all.

        Args:
            record_id: 16 bytes.
            target: the file; an existing one is replaced.
            progress: hears of (bytes written, bytes to come in all, roughly) after each chunk.

        Raises: as `get`, without its limit.
        """
        record = await self.record(record_id)
        data_key = await self._data_key(record)
        size = 0
        with AtomicFile(target) as file:
            async with aclosing(self._opened(record, data_key)) as content:
                async for chunk in content:
                    size += await asyncio.to_thread(file.write, chunk)
                    if progress is not None:
                        progress(size, record.length)
            await asyncio.to_thread(file.publish)
        return size

    async def grant(
        self,
        record_id: bytes,
        grantee: bytes,
        *,
        blocks: int = DEFAULT_GRANT_BLOCKS,
        purpose: str = "Treatment",
    ) -> Receipt:
        """Let an account read a record for a number of blocks; its key goes along, wrapped to the account.

        Raises:
            NoEncryptionKey: the grantee has none registered.
            AccessRefused: this identity does not decide for the patient, or cannot read the record itself.
        """
        record = await self.record(record_id)
        key = await self.chain.encryption_key(grantee)
        if key is None:
            raise errors.NoEncryptionKey
        data_key = await self._data_key(record)
        wrapped = wrap_data_key(key.public_key, data_key, record_id, grantee)
        head = await self.chain.finalized_head()
        call = calls.grant_access(
            RecordScope(record_id=record_id),
            grantee,
            expires_at=head.number + blocks,
            purpose=purpose,
            key=Inline(wrapped=wrapped, key_version=key.version),
        )
        return await self.submitter.submit(call)

    async def revoke(self, record_id: bytes, grantee: bytes) -> Receipt:
        """Withdraw an account's grant for a record; what it has read it keeps."""
        return await self.submitter.submit(calls.revoke_access(RecordScope(record_id=record_id), grantee))

    async def grants(self, record_id: bytes) -> Sequence[Grant]:
        """Return every grant that covers a record, expired ones included."""
        record = await self.record(record_id)
        own = await self.chain.grants(RecordScope(record_id=record_id))
        patient_wide = await self.chain.grants(PatientScope(patient_id=record.patient_id))
        return [*own, *patient_wide]

    def feed(self, *, after: int | None = None) -> AsyncGenerator[FeedEvent]:
        """Yield the notices to this identity's account behind a position, for ever; see `caregrid.feed`.

        Raises:
            ConfigInvalid: the profile names no sidecar.
            AccessRefused: this identity may not read the sidecar's feed.
        """
        if self.sidecar is None:
            raise errors.ConfigInvalid("notices come from a custodian's sidecar; name one in the profile")
        return self.sidecar.feed(after=after)

    async def preferences(self) -> list[ChannelStatus]:
        """Return the channels that the sidecar tells this identity's account by.

        Raises:
            ConfigInvalid: the profile names no sidecar.
        """
        return await self._managed().preferences()

    async def set_preferences(self, channels: Sequence[ChannelChoice]) -> list[ChannelStatus]:
        """Set the channels that the sidecar tells this identity's account by; see `caregrid.preferences`.

        Raises:
            ConfigInvalid: the profile names no sidecar.
            ChannelRefused: one may not be used.
            AccessRefused: the sidecar does not know this account yet.
        """
        return await self._managed().set_preferences(channels)

    async def replay_deliveries(self) -> int:
        """Have this account's notices that could not be delivered sent again; return how many.

        Raises:
            ConfigInvalid: the profile names no sidecar.
        """
        return await self._managed().replay_deliveries()

    async def _data_key(self, record: Record) -> bytes:
        grant = await self.chain.grant(RecordScope(record_id=record.record_id), self.identity.account)
        head = await self.chain.finalized_head()
        if grant is not None and grant.is_live(head.number) and isinstance(grant.key, Inline):
            return self._unwrap(grant.key.wrapped, record)
        released = await self._released_key(record)
        if released is not None:
            return released
        raise errors.NoGrant if grant is None or grant.is_live(head.number) else errors.GrantExpired

    async def _released_key(self, record: Record) -> bytes | None:
        if self.sidecar is None:
            return None
        try:
            wrapped = await self.sidecar.release_key(
                record.record_id,
                account=self.identity.account,
                public_key=self.identity.encryption.public_key,
            )
        except (errors.NotFound, errors.NoGrant):
            return None  # the chain tells the caller more exactly why
        return self._unwrap(wrapped, record)

    def _unwrap(self, wrapped: bytes, record: Record) -> bytes:
        return unwrap_data_key(self.identity.encryption, wrapped, record.record_id, self.identity.account)

    async def _opened(self, record: Record, data_key: bytes) -> AsyncGenerator[bytes]:
        """Yield authenticated plaintext; the last chunk comes after the digest has been checked."""
        opener, digest = Opener(data_key, record.record_id), hashlib.sha256()
        sealed = self.store.stream_range(record.object_id, record.offset, record.length)
        async for chunk in sealed:
            digest.update(chunk)
            plain = opener.update(chunk)
            if plain:
                yield plain
        if digest.digest() != record.digest:
            raise errors.DigestMismatch
        yield opener.finish()


def _load_identity(profile: Profile) -> Identity:
    try:
        passphrase = profile.passphrase_file.read_text("utf-8").rstrip("\n")
    except OSError as exc:
        raise errors.KeyStoreLocked("the passphrase file cannot be read; check the profile") from exc
    return Identity.load(profile.identity_file, passphrase)


def _sidecar(profile: Profile, identity: Identity) -> SidecarClient | None:
    if profile.sidecar_url is None:
        return None
    if profile.token_file is None:
        return SidecarClient(profile.sidecar_url, identity=identity)
    try:
        token = profile.token_file.read_text("utf-8").strip()
    except OSError as exc:
        raise errors.ConfigInvalid("the token file cannot be read; check the profile") from exc
    return SidecarClient(profile.sidecar_url, token)


def require_content(content: bytes | Path) -> None:
    """Refuse what is not there or empty; blocks.

    Raises:
        InputMissing, InputEmpty: as they say.
    """
    if isinstance(content, bytes):
        empty = not content
    elif not content.is_file():
        raise errors.InputMissing(f"there is no file {content}; check the path")
    else:
        empty = content.stat().st_size == 0
    if empty:
        raise errors.InputEmpty
