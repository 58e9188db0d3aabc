"""By what content is known again: a keyed digest of what it says, of whom, and in which format.

A plain digest would let whoever sees the database try out what a record may say; short records hold little.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from caregrid.errors import InputInvalid
from caregrid.preprocessing import content_digest

if TYPE_CHECKING:
    from caregrid.records import RecordFormat

#: Canonical form takes ten times the text in memory; larger records are seldom handed in twice.
MAX_BYTES: Final = 1024 * 1024

#: The id under which the key store wraps the key; no record has it, since it is no UUID.
KEY_ID: Final = b"fingerprint/key\0"

_DOMAIN: Final = b"caregrid/fingerprint/v1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fingerprints:
    """Fingerprints of one patient's records of one format."""

    patient_id: bytes
    format: RecordFormat
    key: bytes = field(repr=False)

    def of(self, content: bytes) -> bytes | None:
        """Return the fingerprint of a FHIR resource: equal for texts that say the same in the same digits.

        None where it is too large, or has no canonical form.
        """
        if len(content) > MAX_BYTES:
            return None
        try:
            return self.of_digest(content_digest(content))
        except InputInvalid:
            return None

    def of_digest(self, digest: bytes) -> bytes:
        """Return the fingerprint of content by the SHA-256 of its canonical form."""
        message = _DOMAIN + self.patient_id + bytes([self.format]) + digest
        return hmac.new(self.key, message, hashlib.sha256).digest()
