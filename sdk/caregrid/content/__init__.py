"""Content of all kinds: what it is, whether it is what it says, and its form where it is not FHIR."""

from caregrid.content.checking import examine
from caregrid.content.dicom import DicomFacts, read_facts
from caregrid.content.faults import Issue, Rule, is_grave, outcome, outcome_of
from caregrid.content.media import Declared, MediaType, declared
from caregrid.content.sniffing import SNIFF_BYTES, precheck, sniff
from caregrid.content.unpacking import Gunzip, is_packed, unpack

__all__ = [
    "SNIFF_BYTES",
    "Declared",
    "DicomFacts",
    "Gunzip",
    "Issue",
    "MediaType",
    "Rule",
    "declared",
    "examine",
    "is_grave",
    "is_packed",
    "outcome",
    "outcome_of",
    "precheck",
    "read_facts",
    "sniff",
    "unpack",
]
