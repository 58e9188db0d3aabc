"""The client-side way in: validate, seal, upload and anchor without a sidecar.

Plaintext never leaves the caller, who is his own custodian. The data key stands on chain, wrapped to himself,
in a grant that is made in the same breath as the record: so there is never a record whose key is lost.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from caregrid import errors
from caregrid.chain import Inline, RecordScope, calls
from caregrid.content import examine, is_grave, outcome
from caregrid.fhir import FhirValidator, is_bundle
from caregrid.intake import ItemStatus, SubmissionStatus
from caregrid.keys import wrap_data_key
from caregrid.proofs import manifest_root
from caregrid.records import ObjectEntry, RecordEntry, RecordFormat
from caregrid.sealed import new_data_key, new_record_id, seal, seal_file

if TYPE_CHECKING:
    from caregrid.chain import Chain, EncryptionKey, Submitter
    from caregrid.content import MediaType
    from caregrid.keys import Identity
    from caregrid.storage import ObjectStore

#: The owner's grant to himself; the chain's limit is ten years, after which it is renewed.
OWN_GRANT_BLOCKS: Final = 9 * 365 * 43_200

#: Beyond it no scan has its header.
DICOM_HEAD_BYTES: Final = 1024 * 1024

_FHIR: Final = frozenset({RecordFormat.FHIR_R4_JSON, RecordFormat.FHIR_R4B_JSON, RecordFormat.FHIR_R5_JSON})


async def submit(
    content: bytes | Path,
    *,
    patient_id: bytes,
    record_format: RecordFormat,
    identity: Identity,
    chain: Chain,
    submitter: Submitter,
    store: ObjectStore,
    media_type: MediaType | None = None,
) -> SubmissionStatus:
    """Store one record in an object of its own and return its status, already final.

    Raises:
        ValidationFailed: the content does not conform; nothing was stored.
        InputInvalid: it is a Bundle to be taken apart, which only a sidecar does.
    """
    await asyncio.to_thread(_require_valid, content, record_format, media_type)
    key = await chain.encryption_key(identity.account)
    if key is None:
        raise errors.NoEncryptionKey("register an encryption key with `publish_encryption_key` first")
    record_id, data_key = new_record_id(), new_data_key()
    with tempfile.TemporaryDirectory(prefix="caregrid-") as folder:
        sealed_path = Path(folder, "sealed")
        length, digest = await asyncio.to_thread(_seal, data_key, record_id, content, sealed_path)
        object_id = await store.put(sealed_path)
    entry = RecordEntry(
        record_id=record_id,
        patient_id=patient_id,
        offset=0,
        length=length,
        digest=digest,
        format=record_format,
    )
    own_key = _own_key(data_key, record_id, identity.account, key)
    block = await _anchor(entry, object_id, own_key, chain, submitter)
    item = ItemStatus(
        record_id=record_id,
        ordinal=0,
        state="confirmed",
        object_id=object_id,
        block=block,
        outcome=None,
        reason=None,
    )
    return SubmissionStatus(submission_id=record_id, state="validated", settled=True, items=[item])


def _require_valid(content: bytes | Path, record_format: RecordFormat, media_type: MediaType | None) -> None:
    if record_format is RecordFormat.BINARY:
        if media_type is not None:
            _require_form(content, media_type)
        return
    data = content if isinstance(content, bytes) else _read(content, record_format)
    if record_format in _FHIR and is_bundle(data):
        raise errors.InputInvalid("a Bundle is taken apart by a sidecar; submit its resources one by one")
    verdict = FhirValidator().validate(data, record_format)
    if not verdict.valid:
        raise errors.ValidationFailed(outcome=verdict.outcome)


def _require_form(content: bytes | Path, media_type: MediaType) -> None:
    data = content if isinstance(content, bytes) else content.read_bytes()
    issues = examine(data, media_type)
    if any(is_grave(issue.rule.severity) for issue in issues):
        raise errors.ValidationFailed(outcome=outcome(issues))


def _read(path: Path, record_format: RecordFormat) -> bytes:
    # A scan may be larger than memory, and is judged by its header.
    with path.open("rb") as file:
        return file.read(DICOM_HEAD_BYTES if record_format is RecordFormat.DICOM else -1)


def _seal(data_key: bytes, record_id: bytes, content: bytes | Path, target: Path) -> tuple[int, bytes]:
    source = content
    if isinstance(source, bytes):
        sealed = seal(data_key, record_id, source)
        target.write_bytes(sealed)
        return len(sealed), hashlib.sha256(sealed).digest()
    written = seal_file(data_key, record_id, source, target)
    return written.length, written.digest


def _own_key(data_key: bytes, record_id: bytes, account: bytes, key: EncryptionKey) -> Inline:
    wrapped = wrap_data_key(key.public_key, data_key, record_id, account)
    return Inline(wrapped=wrapped, key_version=key.version)


async def _anchor(
    entry: RecordEntry,
    object_id: bytes,
    own_key: Inline,
    chain: Chain,
    submitter: Submitter,
) -> int:
    described = ObjectEntry(
        object_id=object_id, size=entry.length, record_count=1, manifest_root=manifest_root([entry])
    )
    head = await chain.finalized_head()
    account = submitter.account
    store = calls.store_emr(account, described, entry)
    grant = calls.grant_access(
        RecordScope(record_id=entry.record_id),
        account,
        expires_at=head.number + OWN_GRANT_BLOCKS,
        purpose="PatientRequest",
        key=own_key,
    )
    receipt = await submitter.submit(calls.batch_all([store, grant]))
    return receipt.block.number
