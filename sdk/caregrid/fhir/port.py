"""Validation as the rest of CareGrid sees it: content in, a FHIR OperationOutcome out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.content import outcome
from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.fhir.bundle import Entry

#: FHIR's versions by the formats that name them.
VERSIONS: Final = {
    RecordFormat.FHIR_R4_JSON: "4.0",
    RecordFormat.FHIR_R4B_JSON: "4.3",
    RecordFormat.FHIR_R5_JSON: "5.0",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a validator says of one record."""

    valid: bool
    outcome: dict[str, Any]  #: FHIR OperationOutcome; `valid` is false if an issue is an error or worse
    resource_type: str | None  #: kind of the FHIR resource; None if it is none, or none that is known
    unanswered: int = 0  #: codes of which a terminology server did not say anything now; it may later


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleVerdict:
    """What a validator says of a bundle whose entries become records of their own."""

    bundle: Verdict  #: of what belongs to no entry; if it is invalid, nothing of the bundle can be taken
    entries: Sequence[Verdict | None]  #: in the bundle's order; None where there is no resource


class Validator(ABC):
    """Judges the plaintext of one record.

    Confidentiality: an outcome goes into answers, logs and the queue's database, where the record itself
    never does. It therefore holds only texts written by us, numbers of places (line, position), and paths
    made of element names of the FHIR specification. No value of the record is ever in it, nor a property
    name that FHIR does not define, since such a name is the sender's own text too.
    """

    @abstractmethod
    def validate(self, content: bytes, record_format: RecordFormat) -> Verdict:
        """Judge one record; whatever the bytes are, the answer is a verdict and never an exception.

        Pure computation on the calling thread, of milliseconds up to seconds by size: asynchronous callers
        take it to a thread or process.
        """

    def validate_bundle(
        self, content: bytes, entries: Sequence[Entry], record_format: RecordFormat
    ) -> BundleVerdict:
        """Judge a bundle and each of its entries.

        A validator that cannot look at a bundle as a whole judges each resource by itself, as here; then
        neither the rules of bundles nor references between entries are looked at.

        Args:
            content: the bundle.
            entries: what :func:`caregrid.fhir.bundle_entries` says of it.
            record_format: of the bundle, and so of its resources.
        """
        del content
        judged = [
            None if entry.resource is None else self.validate(entry.resource, record_format)
            for entry in entries
        ]
        return BundleVerdict(
            bundle=Verdict(valid=True, outcome=outcome([]), resource_type="Bundle"), entries=judged
        )
