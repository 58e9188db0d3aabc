"""Judges content that is not FHIR, by its form."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from caregrid.content import cda, dicom, hl7v2
from caregrid.content.media import MediaType
from caregrid.content.sniffing import SNIFF_BYTES, precheck

if TYPE_CHECKING:
    from caregrid.content.faults import Issue


def examine(content: bytes, media_type: MediaType) -> list[Issue]:
    """Return what is wrong with content of a declared type; nothing is ever raised.

    DICOM may be given by its beginning only: what lies behind that is not judged. FHIR passes here if it
    begins like JSON, for the rest there is :mod:`caregrid.fhir`.
    """
    if fault := precheck(content[:SNIFF_BYTES], media_type, len(content)):
        return [fault]
    match media_type:
        case MediaType.DICOM:
            return dicom.examine(io.BytesIO(content))
        case MediaType.CDA:
            return cda.examine(content)
        case MediaType.HL7_V2:
            return hl7v2.examine(content)
    return []
