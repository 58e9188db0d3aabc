"""What may be done to records before they are sealed: never a change of meaning, and always told."""

from caregrid.preprocessing.bundles import Relations, relations
from caregrid.preprocessing.canonical import canonical_json, content_digest
from caregrid.preprocessing.provenance import Link, of_pseudonyms, of_split, record_url
from caregrid.preprocessing.pseudonym_profile import PseudonymProfile
from caregrid.preprocessing.pseudonyms import Pseudonymised, pseudonymise

__all__ = [
    "Link",
    "PseudonymProfile",
    "Pseudonymised",
    "Relations",
    "canonical_json",
    "content_digest",
    "of_pseudonyms",
    "of_split",
    "pseudonymise",
    "record_url",
    "relations",
]
