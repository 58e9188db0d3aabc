"""Validation of records: the port, the first-level validator, and the splitting of bundles."""

from caregrid.fhir.bundle import MAX_ENTRIES, is_bundle, split_bundle
from caregrid.fhir.first_level import FirstLevelValidator
from caregrid.fhir.port import Validator, Verdict

__all__ = ["MAX_ENTRIES", "FirstLevelValidator", "Validator", "Verdict", "is_bundle", "split_bundle"]
