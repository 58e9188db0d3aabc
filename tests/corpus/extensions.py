"""Extensions: their form, those of HL7, those that may change the meaning."""

from __future__ import annotations

from typing import Any, Final

from tests.corpus.bases import OBSERVATION, PATIENT, concept, text
from tests.corpus.cases import R4, Case, bad, good, group
from tests.corpus.structure import HELD

_HL7: Final = "http://hl7.org/fhir/StructureDefinition/"


def _has(url: str, **value: Any) -> dict[str, Any]:
    return {"extension": [{"url": url, **value}]}


_FORM: Final = group(
    "extension-form",
    "extensibility.html",
    [
        bad("a relative url", PATIENT, _has("held", valueString="x")),
        bad("a url with a blank", PATIENT, _has("http://spital.example/a b", valueString="x")),
        bad("an empty url", PATIENT, _has("", valueString="x")),
        bad("a value of a type that is none", PATIENT, _has(HELD, valueText="x")),
        bad("a bare value", PATIENT, _has(HELD, value="x")),
        bad("a value of the wrong kind", PATIENT, _has(HELD, valueBoolean="true")),
        bad("a broken value", PATIENT, _has(HELD, valueDate="1970-02-30")),
        bad("a broken value inside", PATIENT, _has(HELD, valuePeriod={"start": "2003", "end": "2001"})),
        bad("a resource as a value", PATIENT, _has(HELD, valueResource={"resourceType": "Patient"})),
        bad("an unknown member", PATIENT, _has(HELD, valueString="x", note="y")),
        bad("no list", PATIENT, {"extension": {"url": HELD, "valueString": "x"}}),
        good("a string", PATIENT, _has(HELD, valueString="x")),
        good("a quantity", PATIENT, _has(HELD, valueQuantity={"value": 1})),
        good("an address", PATIENT, _has(HELD, valueAddress={"city": "Zug"})),
        good(
            "nested, with relative urls",
            PATIENT,
            _has(HELD, extension=[{"url": "a", "valueCode": "x"}, {"url": "b", "valueCode": "y"}]),
        ),
        good(
            "twice",
            PATIENT,
            {"extension": [{"url": HELD, "valueCode": "x"}, {"url": HELD, "valueCode": "y"}]},
        ),
        good("in a data type", PATIENT, {"name[0].extension": [{"url": HELD, "valueCode": "x"}]}),
        good("in a narrative", PATIENT, {"text.extension": [{"url": HELD, "valueCode": "x"}]}),
        good("with an id", PATIENT, {"extension": [{"id": "e", "url": HELD, "valueCode": "x"}]}),
        good("by a UUID", PATIENT, _has("urn:uuid:0b5b0d4e-9a3c-4e59-8f0a-5d5a6f1d9a01", valueCode="x")),
        good("by an OID", PATIENT, _has("urn:oid:1.2.3", valueCode="x")),
    ],
)

_KNOWN: Final = group(
    "extension-known",
    "the extension's own definition",
    [
        bad(
            "a birth time that is a string",
            PATIENT,
            {"_birthDate": _has(f"{_HL7}patient-birthTime", valueString="10:00")},
        ),
        bad(
            "a birth time at the wrong place",
            PATIENT,
            _has(f"{_HL7}patient-birthTime", valueDateTime="1970-03-30T10:00:00Z"),
        ),
        bad(
            "a birth place on an Observation",
            OBSERVATION,
            _has(f"{_HL7}patient-birthPlace", valueAddress={"city": "Zug"}),
        ),
        bad("a birth place that is a string", PATIENT, _has(f"{_HL7}patient-birthPlace", valueString="Zug")),
        bad(
            "an absent reason that is none",
            PATIENT,
            {"_birthDate": _has(f"{_HL7}data-absent-reason", valueCode="lost")},
        ),
        bad("one of HL7's that is none", PATIENT, _has(f"{_HL7}patient-favouriteColour", valueString="x")),
        bad(
            "a mother's maiden name as a name",
            PATIENT,
            _has(f"{_HL7}patient-mothersMaidenName", valueHumanName={"family": "x"}),
        ),
        good(
            "a birth time",
            PATIENT,
            {"_birthDate": _has(f"{_HL7}patient-birthTime", valueDateTime="1970-03-30T10:00:00Z")},
        ),
        good("a birth place", PATIENT, _has(f"{_HL7}patient-birthPlace", valueAddress={"city": "Zug"})),
        good("a mother's maiden name", PATIENT, _has(f"{_HL7}patient-mothersMaidenName", valueString="Frei")),
        good("a religion", PATIENT, _has(f"{_HL7}patient-religion", valueCodeableConcept=text("none"))),
        good(
            "an absent reason",
            PATIENT,
            {"_birthDate": _has(f"{_HL7}data-absent-reason", valueCode="asked-unknown")},
        ),
        good(
            "a nationality",
            PATIENT,
            _has(
                f"{_HL7}patient-nationality",
                extension=[{"url": "code", "valueCodeableConcept": concept("urn:iso:std:iso:3166", "CH")}],
            ),
        ),
        bad(
            "a nationality's part that is none",
            PATIENT,
            _has(
                f"{_HL7}patient-nationality",
                extension=[{"url": "country", "valueCodeableConcept": text("CH")}],
            ),
        ),
        bad(
            "a nationality as a value",
            PATIENT,
            _has(f"{_HL7}patient-nationality", valueCodeableConcept=text("CH")),
        ),
        good(
            "a translation",
            PATIENT,
            {
                "name[0]._family": _has(
                    f"{_HL7}translation",
                    extension=[
                        {"url": "lang", "valueCode": "fr"},
                        {"url": "content", "valueString": "Montagne"},
                    ],
                )
            },
        ),
        good(
            "an own name", PATIENT, {"name[0]._family": _has(f"{_HL7}humanname-own-name", valueString="Frei")}
        ),
        bad(
            "an own name on a given name",
            PATIENT,
            {"name[0]._given": [_has(f"{_HL7}humanname-own-name", valueString="Frei")]},
        ),
        good(
            "a vendor's, unknown",
            PATIENT,
            _has("http://vendor.example/fhir/StructureDefinition/ward", valueString="7B"),
        ),
    ],
)

_MODIFIERS: Final = group(
    "extension-modifier",
    "extensibility.html#modifierExtension: what is not understood must not be processed",
    [
        bad("an unknown one", PATIENT, {"modifierExtension": [{"url": HELD, "valueBoolean": True}]}),
        bad(
            "an unknown one in a backbone element",
            PATIENT,
            {"contact[0].modifierExtension": [{"url": HELD, "valueBoolean": True}]},
        ),
        bad(
            "a birth place is none",
            PATIENT,
            {"modifierExtension": [{"url": f"{_HL7}patient-birthPlace", "valueAddress": {"city": "Zug"}}]},
        ),
        bad("of an Observation", OBSERVATION, {"modifierExtension": [{"url": HELD, "valueCode": "refuted"}]}),
    ],
)

_AS_PLAIN: Final = group(
    "extension-modifier",
    "extension request-doNotPerform modifies",
    [
        bad("as a plain extension", OBSERVATION, _has(f"{_HL7}request-doNotPerform", valueBoolean=True)),
    ],
    R4,
)

CASES: Final[list[Case]] = [*_FORM, *_KNOWN, *_MODIFIERS, *_AS_PLAIN]
