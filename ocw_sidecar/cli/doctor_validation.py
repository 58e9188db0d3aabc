"""What `doctor` looks at of how records are judged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from caregrid.errors import TerminologyUnreachable
from caregrid.fhir import Answer, Coding, FhirValidator, Question

if TYPE_CHECKING:
    from ocw_sidecar.ports import Ports

#: Every terminology server has what FHIR itself defines; that it does not know it is an answer, too.
_QUESTION: Final = Question(
    value_set="http://hl7.org/fhir/ValueSet/administrative-gender",
    codings=(Coding(system="http://hl7.org/fhir/administrative-gender", code="other"),),
)


async def judging(ports: Ports) -> str:
    """Say what records are judged by.

    Raises:
        TerminologyUnreachable: there is to be a server, and it does not answer.
    """
    told = []
    if isinstance(ports.validator, FhirValidator):
        told.append(f"{len(ports.validator.profiles.definitions)} definitions beside HL7's")
        if (server := ports.validator.terminology) is not None:
            (answer,) = await asyncio.to_thread(server.ask, [_QUESTION])
            if answer is Answer.MISSING:
                raise TerminologyUnreachable
            told.append("the terminology server answers")
    if ports.pseudonyms is not None:
        told.append(f"identifiers are replaced as {ports.pseudonyms.uri} says")
    return "; ".join(told)
