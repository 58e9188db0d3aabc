"""How what came in is judged."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import ByteSize, Field, field_validator, model_validator

from caregrid.hosts import is_loopback
from ocw_sidecar.settings.part import Part

_MIB: Final = 1 << 20


class ValidationSettings(Part):
    """Judges what came in."""

    batch: int = Field(default=128, ge=1, le=4096)  #: submissions in one run
    at_once: int = Field(default=4, ge=1, le=64)  #: of these
    large_text: ByteSize = Field(default=ByteSize(_MIB), ge=1)  #: of texts above this one at a time
    deduplicate: bool = True  #: FHIR that says the same as a final record of the patient becomes no other one
    profiles: Path | None = None  #: a folder of definitions beside HL7's: *.json, and FHIR packages *.tgz
    terminology_url: str | None = None  #: base of a FHIR terminology server; it is asked about codes alone
    terminology_timeout_s: float = Field(default=20.0, gt=0, le=45)  #: for one record; a lease lasts longer
    terminology_required: bool = False  #: without its answer a record stays queued; else it is "not checked"
    pseudonyms: Path | None = None  #: a TOML or JSON file that says what becomes of identifiers in FHIR
    pseudonym_key_file: Path | None = None  #: 64 or more hex digits, random and secret

    @field_validator("terminology_url")
    @classmethod
    def _require_tls(cls, url: str | None) -> str | None:
        if url is not None:
            _check(url)
        return url

    @model_validator(mode="after")
    def _require_both(self) -> Self:
        if self.terminology_required and self.terminology_url is None:
            raise ValueError("terminology_required needs a terminology_url")
        if (self.pseudonyms is None) != (self.pseudonym_key_file is None):
            raise ValueError("pseudonyms and pseudonym_key_file go together; set both, or none")
        return self


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("it has the form https://HOST/PATH, without a query")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a name or a password, which would be logged; leave them out")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("it leads beyond this machine; use https, so that nobody can read along")
