"""Validation as the rest of CareGrid sees it: content in, a FHIR OperationOutcome out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from caregrid.records import RecordFormat


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a validator says of one record."""

    valid: bool
    outcome: dict[str, Any]  #: FHIR OperationOutcome; `valid` is false if an issue is an error or worse
    resource_type: str | None  #: kind of the FHIR resource; None if it is none, or none that is known


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
