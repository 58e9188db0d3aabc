"""C-CDA as far as its form goes: well-formed XML, whose root is a clinical document of HL7.

DOCTYPE is refused (the CDA standard has none), and with it every entity: nothing is expanded or fetched.
Whether the document conforms to a template is not judged.
"""

from __future__ import annotations

from typing import Final
from xml.parsers import expat

from caregrid.content.faults import Issue, Rule

#: Far deeper than any document; a stack that grows without end is another matter.
MAX_DEPTH: Final = 256

NOT_XML: Final = Rule("xml", "structure", "the content is no well-formed XML: see line {0}, column {1}")
DOCTYPE: Final = Rule("xml-doctype", "not-supported", "a clinical document has no DOCTYPE; leave it out")
TOO_DEEP: Final = Rule("xml-depth", "too-costly", "elements are nested more than {0} deep")
NOT_CDA: Final = Rule(
    "cda-root", "structure", "the root must be `ClinicalDocument` in the namespace `urn:hl7-org:v3`"
)

_ROOT: Final = "urn:hl7-org:v3 ClinicalDocument"


class _StopError(Exception):
    def __init__(self, issue: Issue) -> None:
        super().__init__()
        self.issue = issue


def examine(content: bytes) -> list[Issue]:
    """Return what keeps content from being a clinical document."""
    parser = expat.ParserCreate(namespace_separator=" ")
    depth = 0

    def opened(name: str, _attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth == 1 and name != _ROOT:
            raise _StopError(Issue(NOT_CDA))
        if depth > MAX_DEPTH:
            raise _StopError(Issue(TOO_DEEP, (MAX_DEPTH,)))

    def closed(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*_of: object) -> None:
        raise _StopError(Issue(DOCTYPE))

    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)  # noqa: FBT003 - expat takes it by place
    except _StopError as stop:
        return [stop.issue]
    except (expat.ExpatError, LookupError, ValueError):  # the latter for encodings that nobody knows
        return [Issue(NOT_XML, (parser.ErrorLineNumber, parser.ErrorColumnNumber + 1))]
    return []
