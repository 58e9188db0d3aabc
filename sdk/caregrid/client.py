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
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from caregrid import direct, errors
from caregrid.access import DEFAULT_GRANT_BLOCKS, Access
from caregrid.access.requests import require_record
from caregrid.chain import RecordScope, SubstrateChain, SubstrateSubmitter, calls
from caregrid.disk import AtomicFile
from caregrid.intake import SidecarClient
from caregrid.keys import Identity
from caregrid.operators import Operators
from caregrid.profile import Profile
from caregrid.records import PATIENT_ID_LEN, RecordFormat
from caregrid.rereading import with_fresh_facts
from caregrid.sealed import SealedReader, open_chunks_async
from caregrid.storage.failover import open_store
from caregrid.threats import Threats

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
    from pathlib import Path

    from caregrid.chain import Chain, Grant, Receipt, Record, Submitter
    from caregrid.content import MediaType
    from caregrid.erasures import ErasureStatus, ReasonCode
    from caregrid.feed import FeedEvent
    from caregrid.preferences import ChannelChoice, ChannelStatus
    from caregrid.reseals import ResealStatus
    from caregrid.statuses import BatchAnswer, BatchItem, FoundRecord, SubmissionStatus
    from caregrid.storage import ObjectStore

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
        #: Requests, grants and emergencies.
        self.access = Access(identity, chain, submitter, sidecar)
        #: Who may act for the organisation, where this identity is the organisation itself.
        self.operators = Operators(chain, submitter, identity.account)
        #: Blocked networks and attack signatures.
        self.threats = Threats(chain, submitter, self.organisation)

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
            RecordErased: it was erased.
            RecordUnknown: it is not anchored.
        """
        return await require_record(self.chain, record_id)

    async def get(self, record_id: bytes) -> bytes:
        """Return a record's content.

        Raises:
            RecordUnknown, RecordErased: it is not anchored, or not any more.
            NoGrant, GrantExpired, WrongKey: this identity may not read it.
            IntegrityFailed: the stored bytes are not the anchored ones; nothing is returned.
            InputTooLarge: it is too large for memory; use `download`.
        """
        return await with_fresh_facts(partial(self.record, record_id), self._content)

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

        async def download(record: Record) -> int:
            data_key = await self._data_key(record)
            return await _written(self._opened(record, data_key), target, record.length, progress)

        return await with_fresh_facts(partial(self.record, record_id), download)

    async def download_sealed(
        self, record_id: bytes, target: Path, *, progress: Callable[[int, int], None] | None = None
    ) -> int:
        """Write a record's sealed bytes to a file, for any Tink that has the data key; return their number.

        No right to read is needed. The file appears whole, with the anchored digest, or not at all.

        Args:
            record_id: 16 bytes.
            target: the file; an existing one is replaced.
            progress: hears of (bytes written, bytes in all) after each chunk.

        Raises:
            RecordUnknown, RecordErased: it is not anchored, or not any more.
            IntegrityFailed: the stored bytes are not the anchored ones.
        """

        async def download(record: Record) -> int:
            return await _written(self._sealed(record), target, record.length, progress)

        return await with_fresh_facts(partial(self.record, record_id), download)

    async def get_range(self, record_id: bytes, offset: int, length: int) -> bytes:
        """Return a part of a record's content; no more is fetched than the segments it lies in.

        What it returns is authentic and from that place; the digest is the whole record's and not checked.

        Raises:
            InputInvalid: the range is empty or reaches past the content's end.
            InputTooLarge: it is too large for memory; use `download`.
        As `get` besides.
        """
        if length > MAX_IN_MEMORY:
            raise errors.InputTooLarge(limit=MAX_IN_MEMORY)

        async def read(record: Record) -> bytes:
            data_key = await self._data_key(record)

            def fetched(start: int, size: int) -> AsyncGenerator[bytes]:
                return self.store.stream_range(record.object_id, record.offset + start, size)

            return await SealedReader(data_key, record_id, fetched, record.length).read(offset, length)

        return await with_fresh_facts(partial(self.record, record_id), read)

    async def reveal_data_key(self, record_id: bytes) -> bytes:
        """Return the 32 bytes that open a record for ever, whoever has them; for use without CareGrid.

        With them and the record's id, any Tink opens what `download_sealed` wrote.

        Raises: as `get`, but for what concerns the content.
        """
        return await self._data_key(await self.record(record_id))

    async def grant(
        self,
        record_id: bytes,
        grantee: bytes,
        *,
        blocks: int = DEFAULT_GRANT_BLOCKS,
        purpose: str = "Treatment",
    ) -> Receipt:
        """Let an account read a record for a number of blocks; see `Access.grant` for more, and for patients.

        Raises:
            RecordUnknown, RecordErased: there is no such record, or none any more.
            NoEncryptionKey: the grantee has none registered.
            AccessRefused: this identity does not decide for the patient, or cannot read the record itself.
        """
        scope = RecordScope(record_id=record_id)
        return await self.access.grant(scope, grantee, blocks=blocks, purpose=purpose)

    async def revoke(self, record_id: bytes, grantee: bytes) -> Receipt:
        """Withdraw an account's grant for a record; what it has read it keeps."""
        return await self.access.revoke(RecordScope(record_id=record_id), grantee)

    async def grants(self, record_id: bytes) -> Sequence[Grant]:
        """Return every grant that covers a record, expired ones included."""
        return await self.access.grants_on(RecordScope(record_id=record_id))

    async def erase(self, record_id: bytes, *, reason: ReasonCode | None = None) -> ErasureStatus:
        """Have a record erased for ever by the custodian's sidecar; see `SidecarClient.erase`.

        Raises:
            ConfigInvalid: the profile names no sidecar.
            RecordUnknown, RecordErased: this custodian has no such record, or has it no more.
        """
        return await self._managed().erase(record_id, reason=reason)

    async def erasure(self, record_id: bytes) -> ErasureStatus:
        """Return how far an erasure is, with its receipts; see `SidecarClient.erasure`.

        Raises:
            ConfigInvalid: the profile names no sidecar.
            NotFound: the sidecar knows of none.
        """
        return await self._managed().erasure(record_id)

    async def wait_erased(self, record_id: bytes, *, timeout_s: float = SETTLE_TIMEOUT_S) -> ErasureStatus:
        """Return how far an erasure is once the chain has it; see `SidecarClient.wait_erased`.

        Raises:
            ConfigInvalid: the profile names no sidecar.
            NotYetAnchored: the chain does not say so yet; the sidecar goes on by itself.
        """
        return await self._managed().wait_erased(record_id, timeout_s=timeout_s)

    async def reseal(self, record_id: bytes) -> ResealStatus:
        """Have a record sealed under another data key; see `SidecarClient.reseal`.

        Raises:
            ConfigInvalid: the profile names no sidecar.
            RecordUnknown, RecordErased: this custodian has no such record, or has it no more.
        """
        return await self._managed().reseal(record_id)

    async def wait_resealed(self, record_id: bytes, *, timeout_s: float = SETTLE_TIMEOUT_S) -> ResealStatus:
        """Return how far that is once it is done; see `SidecarClient.wait_resealed`.

        Raises:
            ConfigInvalid: the profile names no sidecar.
            NotYetAnchored: it is not done yet; the sidecar goes on by itself.
        """
        return await self._managed().wait_resealed(record_id, timeout_s=timeout_s)

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

    async def _content(self, record: Record) -> bytes:
        if record.length > MAX_IN_MEMORY:
            raise errors.InputTooLarge(limit=MAX_IN_MEMORY)
        data_key = await self._data_key(record)
        async with aclosing(self._opened(record, data_key)) as content:
            return b"".join([chunk async for chunk in content])

    async def _data_key(self, record: Record) -> bytes:
        return await self.access.data_keys.of(record)

    def _opened(self, record: Record, data_key: bytes) -> AsyncGenerator[bytes]:
        """Return the authenticated plaintext; its last chunk comes after the digest has been checked."""
        return open_chunks_async(data_key, record.record_id, self._sealed(record))

    async def _sealed(self, record: Record) -> AsyncGenerator[bytes]:
        """Yield the sealed bytes; it ends without an error when they have the anchored digest."""
        digest = hashlib.sha256()
        stored = self.store.stream_range(record.object_id, record.offset, record.length)
        async with aclosing(stored) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
                yield chunk
        if digest.digest() != record.digest:
            raise errors.DigestMismatch


async def _written(
    content: AsyncGenerator[bytes], target: Path, total: int, progress: Callable[[int, int], None] | None
) -> int:
    size = 0
    with AtomicFile(target) as file:
        async with aclosing(content) as chunks:
            async for chunk in chunks:
                size += await asyncio.to_thread(file.write, chunk)
                if progress is not None:
                    progress(size, total)
        await asyncio.to_thread(file.publish)
    return size


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
