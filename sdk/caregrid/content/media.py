"""The kinds of content that are told apart, and the names they go by in a `Content-Type`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from caregrid.errors import MediaTypeUnsupported
from caregrid.records import RecordFormat


class MediaType(Enum):
    """A kind of content; the value is the name by which it is written."""

    FHIR_JSON = "application/fhir+json"
    DICOM = "application/dicom"
    CDA = "application/cda+xml"
    HL7_V2 = "text/hl7v2"
    OPAQUE = "application/octet-stream"  #: says nothing, so it agrees with everything
    XML = "application/xml"  #: only sniffed: XML that is no clinical document
    PACKED = "application/x-packed"  #: only sniffed: compressed, or an archive


#: C-CDA and HL7 v2 went by several names before IANA had one; what senders use is accepted.
_NAMES: Final = {
    "application/fhir+json": MediaType.FHIR_JSON,
    "application/json+fhir": MediaType.FHIR_JSON,
    "application/dicom": MediaType.DICOM,
    "application/cda+xml": MediaType.CDA,
    "application/hl7-cda+xml": MediaType.CDA,
    "text/hl7v2": MediaType.HL7_V2,
    "application/hl7-v2": MediaType.HL7_V2,
    "x-application/hl7-v2+er7": MediaType.HL7_V2,
    "application/octet-stream": MediaType.OPAQUE,
}

_FHIR: Final = {
    "4.0": RecordFormat.FHIR_R4_JSON,
    "4.3": RecordFormat.FHIR_R4B_JSON,
    "5.0": RecordFormat.FHIR_R5_JSON,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """What a sender says of his content."""

    media_type: MediaType
    record_format: RecordFormat  #: as the chain has it: C-CDA and HL7 v2 ride as BINARY


def declared(content_type: str) -> Declared:
    """Return what a `Content-Type` header says; FHIR without `fhirVersion` is R4.

    Raises:
        MediaTypeUnsupported: it names nothing that is taken in.
    """
    from email.message import Message  # noqa: PLC0415 - a tenth of the start-up time, and only for headers

    header = Message()
    header["Content-Type"] = content_type
    named = _NAMES.get(header.get_content_type()) if content_type else None
    if named is None:
        raise MediaTypeUnsupported(f"send a Content-Type of {', '.join(sorted(_NAMES))}")
    if named is MediaType.FHIR_JSON:
        version = str(header.get_param("fhirversion", "4.0"))
        if version not in _FHIR:
            raise MediaTypeUnsupported(f"fhirVersion is one of {', '.join(_FHIR)}")
        return Declared(media_type=named, record_format=_FHIR[version])
    return Declared(media_type=named, record_format=record_format_of(named))


def record_format_of(media_type: MediaType) -> RecordFormat:
    """Return the chain's format of content that is not FHIR."""
    return RecordFormat.DICOM if media_type is MediaType.DICOM else RecordFormat.BINARY
