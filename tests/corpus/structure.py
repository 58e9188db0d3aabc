"""Names, cardinalities, JSON kinds, choice types, nulls and empties, primitive extensions."""

from __future__ import annotations

from typing import Final

from tests.corpus.bases import (
    ANSWERS,
    BINARY,
    COLLECTION,
    COMPOSITION,
    CONDITION,
    ENCOUNTER_4,
    OBSERVATION,
    ORGANIZATION,
    PARAMETERS,
    PATIENT,
    PRESCRIPTION_4,
    SERVICE_REQUEST,
    UCUM,
    text,
)
from tests.corpus.cases import DROP, R4, R5, Case, bad, good, group

HELD: Final = "http://spital.example/fhir/StructureDefinition/held"
_EXTENSION: Final = [{"url": HELD, "valueString": "x"}]
_QUANTITY: Final = OBSERVATION["valueQuantity"]

_BARE: Final = {key: value for key, value in OBSERVATION.items() if key != "valueQuantity"}

_UNKNOWN: Final = group(
    "unknown-element",
    "json.html: only what the definition lists, by its name",
    [
        bad("at the root", PATIENT, {"birthday": "1970-03-30"}),
        bad("wrong case", PATIENT, {"birthDate": DROP, "BirthDate": "1970-03-30"}),
        bad("singular", PATIENT, {"names": [{"family": "Berg"}]}),
        bad("in a data type", PATIENT, {"name[0].last": "Berg"}),
        bad("in a backbone element", PATIENT, {"contact[0].phone": "1"}),
        bad("in a coding", OBSERVATION, {"code.coding[0].text": "Hb"}),
        bad("in a narrative", PATIENT, {"text.text": "Berg"}),
        bad("in meta", PATIENT, {"meta.version": "1"}),
        bad("of another resource", OBSERVATION, {"birthDate": "1970-03-30"}),
        bad("resourceType in a data type", PATIENT, {"name[0].resourceType": "HumanName"}),
        bad("comments of DSTU 2", PATIENT, {"fhir_comments": ["a note"]}),
        bad("an extension member by its url", PATIENT | {HELD: "x"}),
        bad("a type of resource that is none", PATIENT, {"resourceType": "Patients"}),
        bad("a data type instead of a resource", {"resourceType": "HumanName", "family": "Berg"}),
        bad("an abstract type", PATIENT, {"resourceType": "DomainResource"}),
        bad("no type", PATIENT, {"resourceType": DROP}),
        bad("the type in another case", PATIENT, {"resourceType": "patient"}),
        bad(
            "in a contained resource",
            PATIENT,
            {
                "contained": [{"resourceType": "Organization", "id": "o", "name": "Z", "nick": "z"}],
                "managingOrganization.reference": "#o",
            },
        ),
        bad("in a Bundle's entry", COLLECTION, {"entry[0].resource.surname": "Berg"}),
        bad(
            "in a parameter's resource",
            PARAMETERS,
            {"parameter[0]": {"name": "p", "resource": {**PATIENT, "surname": "Berg"}}},
        ),
        bad("text in a Binary", BINARY, {"text": PATIENT["text"]}),
        bad("an extension on a Binary", BINARY, {"extension": _EXTENSION}),
        bad("a modifier extension in a data type", PATIENT, {"name[0].modifierExtension": _EXTENSION}),
        bad("a shadow of what is not primitive", PATIENT, {"_name": [{"id": "n"}]}),
        bad("a shadow of nothing", PATIENT, {"_nickname": {"id": "n"}}),
        good("members in another order", dict(reversed(PATIENT.items()))),
        good(
            "everything of a name",
            PATIENT,
            {
                "name[0]": {
                    "id": "n1",
                    "use": "usual",
                    "text": "Dr. Ada Berg",
                    "family": "Berg",
                    "given": ["Ada"],
                    "prefix": ["Dr."],
                    "suffix": ["PhD"],
                },
            },
        ),
        good("implicitRules of meta's neighbours", PATIENT, {"language": "de-CH"}),
        good("a Binary", BINARY),
        good("a minimal Patient", {"resourceType": "Patient"}),
    ],
)

_VERSIONS: Final = [
    *group(
        "unknown-element",
        "patient.html: R5 has no element animal, nor has R4",
        [
            bad("an element of DSTU 2", PATIENT, {"animal": {"species": text("dog")}}),
        ],
    ),
    *group(
        "unknown-element",
        "observation.html R5: triggeredBy is new",
        [
            bad(
                "an element of R5",
                OBSERVATION,
                {"triggeredBy": [{"observation": {"reference": "Observation/x"}, "type": "reflex"}]},
            ),
        ],
        R4,
    ),
    *group(
        "unknown-element",
        "observation.html R5: triggeredBy is new",
        [
            good(
                "an element of R5",
                OBSERVATION,
                {"triggeredBy": [{"observation": {"reference": "Observation/x"}, "type": "reflex"}]},
            ),
        ],
        R5,
    ),
    *group(
        "choice",
        "medicationrequest.html R5: medication is a CodeableReference",
        [
            bad("R4's choice", PRESCRIPTION_4),
        ],
        R5,
    ),
    *group("choice", "medicationrequest.html: medication[x]", [good("R4's choice", PRESCRIPTION_4)], R4),
    *group(
        "cardinality",
        "encounter.html: class is 1..1",
        [
            good("an encounter", ENCOUNTER_4),
            bad("no class", ENCOUNTER_4, {"class": DROP}),
            bad("no status of an encounter", ENCOUNTER_4, {"status": DROP}),
        ],
        R4,
    ),
    *group(
        "cardinality",
        "medicationrequest.html: intent, medication[x] and subject are 1..1",
        [
            bad("no medication", PRESCRIPTION_4, {"medicationCodeableConcept": DROP}),
            bad("no intent", PRESCRIPTION_4, {"intent": DROP}),
            bad("no subject of a prescription", PRESCRIPTION_4, {"subject": DROP}),
        ],
        R4,
    ),
]

_CARDINALITY: Final = group(
    "cardinality",
    "conformance-rules.html#cardinality",
    [
        bad("no status", OBSERVATION, {"status": DROP}),
        bad("no code", OBSERVATION, {"code": DROP}),
        bad("no subject", CONDITION, {"subject": DROP}),
        bad("no type", COLLECTION, {"type": DROP}),
        bad("no section title is fine, no document title is not", COMPOSITION, {"title": DROP}),
        bad("no author", COMPOSITION, {"author": DROP}),
        bad("a component without a code", OBSERVATION, {"component": [{"valueString": "x"}]}),
        bad("a narrative without status", PATIENT, {"text.status": DROP}),
        bad("a narrative without div", PATIENT, {"text.div": DROP}),
        bad("a link without type", PATIENT, {"link": [{"other": {"reference": "Patient/p2"}}]}),
        bad("an extension without url", PATIENT, {"extension": [{"valueString": "x"}]}),
        bad("a communication without language", PATIENT, {"communication": [{"preferred": True}]}),
        bad("a parameter without name", PARAMETERS, {"parameter[0].name": DROP}),
        bad("an item without linkId", ANSWERS, {"item[0].linkId": DROP}),
        bad("an array for what is single", PATIENT, {"birthDate": ["1970-03-30"]}),
        bad("an array for a single object", PATIENT, {"maritalStatus": [text("married")]}),
        bad("two genders", PATIENT, {"gender": ["female", "male"]}),
        bad("an array of a resource's type", PATIENT, {"resourceType": ["Patient"]}),
        bad("no array for what repeats", PATIENT, {"name": {"family": "Berg"}}),
        bad("no array for a primitive that repeats", PATIENT, {"name[0].given": "Ada"}),
        bad("no array for codings", OBSERVATION, {"code.coding": {"code": "718-7"}}),
        good("many names", PATIENT, {"name": [{"given": ["A", "B", "C"]}, {"family": "B"}, {"text": "C"}]}),
        good(
            "a required element that only has an extension",
            OBSERVATION,
            {
                "status": DROP,
                "_status": {
                    "extension": [
                        {
                            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
                            "valueCode": "unknown",
                        }
                    ]
                },
            },
        ),
        good("one of a list", PATIENT, {"name": [{"text": "Ada"}]}),
    ],
)

_CHOICE: Final = group(
    "choice",
    "formats.html#choice",
    [
        bad("two types", OBSERVATION, {"valueString": "7"}),
        bad("two types, one false", PATIENT, {"deceasedBoolean": False, "deceasedDateTime": "2020"}),
        bad("a type that is not allowed", OBSERVATION, {"valueQuantity": DROP, "valueDecimal": 7.2}),
        bad("another that is not", PATIENT, {"deceasedString": "yes"}),
        bad("no type", OBSERVATION, {"valueQuantity": DROP, "value": 7.2}),
        bad("the [x] left in", _BARE | {"value[x]": 7.2}),
        bad("the type in another case", OBSERVATION, {"valueQuantity": DROP, "valuequantity": _QUANTITY}),
        bad("the value of another type", OBSERVATION, {"valueQuantity": "7.2 g/dL"}),
        bad("two types in an extension", PATIENT, {"extension": [{**_EXTENSION[0], "valueCode": "y"}]}),
        bad(
            "a value and the extension of another type",
            OBSERVATION,
            {"_valueString": {"extension": _EXTENSION}},
        ),
        *[
            good(f"value{kind}", OBSERVATION, {"valueQuantity": DROP, f"value{kind}": value})
            for kind, value in (
                ("String", "clear"),
                ("Boolean", False),
                ("Integer", -7),
                ("Time", "10:00:00"),
                ("DateTime", "2024"),
                ("CodeableConcept", text("clear")),
                ("Period", {"start": "2024-01", "end": "2024-01-31"}),
                ("Range", {"low": {"value": 1}, "high": {"value": 2}}),
                ("Ratio", {"numerator": {"value": 1}, "denominator": {"value": 8}}),
            )
        ],
        good(
            "only an extension",
            OBSERVATION,
            {"valueQuantity": DROP, "_valueString": {"extension": _EXTENSION}},
        ),
        good("deceased as a date", PATIENT, {"deceasedDateTime": "2020-02"}),
    ],
)

_KINDS: Final = group(
    "json-kind",
    "json.html#primitive: booleans and numbers are JSON's own, everything else is a string",
    [
        bad("a boolean in quotes", PATIENT, {"active": "true"}),
        bad("a boolean as a number", PATIENT, {"active": 1}),
        bad("a decimal in quotes", OBSERVATION, {"valueQuantity.value": "7.2"}),
        bad("an integer in quotes", PATIENT, {"multipleBirthInteger": "2"}),
        bad("a string as a number", PATIENT, {"name[0].family": 7}),
        bad("a string as a boolean", PATIENT, {"name[0].family": True}),
        bad("a date as a number", PATIENT, {"birthDate": 1970}),
        bad("a code as a number", OBSERVATION, {"code.coding[0].code": 718}),
        bad("an id as a number", PATIENT, {"id": 12}),
        bad("a string as an object", PATIENT, {"gender": {"value": "female"}}),
        bad("an object as a string", PATIENT, {"managingOrganization": "Organization/o1"}),
        bad("an object as a string in a list", PATIENT, {"name": ["Ada Berg"]}),
        bad("a concept as a string", OBSERVATION, {"code": "718-7"}),
        bad("an object as a list of lists", PATIENT, {"name": [[{"family": "Berg"}]]}),
        bad("a list in a list of strings", PATIENT, {"name[0].given": [["Ada"]]}),
        bad("a narrative as a string", PATIENT, {"text": "Ada Berg"}),
        bad("a resource as a string", COLLECTION, {"entry[0].resource": "Patient/p1"}),
        bad("a shadow as a string", PATIENT, {"_birthDate": "1970"}),
        bad("a shadow as a list", PATIENT, {"_birthDate": [{"extension": _EXTENSION}]}),
        bad("the shadow of a list as an object", PATIENT, {"name[0]._given": {"extension": _EXTENSION}}),
        bad("an integer with a fraction", PATIENT, {"multipleBirthInteger": 2.5}),
    ],
)

_EMPTIES: Final = group(
    "empty",
    "json.html: properties are never null, empty strings, arrays or objects",
    [
        bad("an empty string", PATIENT, {"name[0].family": ""}),
        bad("an empty list", PATIENT, {"name": []}),
        bad("an empty list of strings", PATIENT, {"name[0].given": []}),
        bad("an empty object", PATIENT, {"maritalStatus": {}}),
        bad("an empty object in a list", PATIENT, {"name": [{}]}),
        bad("an element of nothing but an id", PATIENT, {"maritalStatus": {"id": "m"}}),
        bad("null", PATIENT, {"birthDate": None}),
        bad("null for an object", PATIENT, {"maritalStatus": None}),
        bad("null in a list of objects", PATIENT, {"name": [{"family": "Berg"}, None]}),
        bad("null in a list of strings without its shadow", PATIENT, {"name[0].given": ["Ada", None]}),
        bad("an empty shadow", PATIENT, {"_birthDate": {}}),
        bad("an empty id", PATIENT, {"id": ""}),
        bad("an empty value in a quantity", OBSERVATION, {"valueQuantity": {}}),
        bad("an empty extension list", PATIENT, {"extension": []}),
        bad("an empty contact", PATIENT, {"contact": [{}]}),
        bad("an empty code", OBSERVATION, {"status": ""}),
        bad("an entry of a Bundle that is empty", COLLECTION, {"entry[1]": {}}),
        good("false and 0 are not empty", PATIENT, {"active": False, "multipleBirthInteger": 0}),
        good("an element of nothing but an extension", PATIENT, {"maritalStatus": {"extension": _EXTENSION}}),
        good("a resource without anything", {"resourceType": "Basic", "code": text("x")}),
    ],
)

_SHADOWS: Final = group(
    "primitive-extension",
    "json.html#primitive: extensions and ids of primitives stand in _name",
    [
        good("an extension beside a value", PATIENT, {"_birthDate": {"extension": _EXTENSION}}),
        good(
            "an extension instead of a value",
            PATIENT,
            {"birthDate": DROP, "_birthDate": {"extension": _EXTENSION}},
        ),
        good("an id of a primitive", PATIENT, {"_birthDate": {"id": "bd"}}),
        good(
            "a list with holes in the shadow",
            PATIENT,
            {"name[0].given": ["Ada", "Eva"], "name[0]._given": [None, {"extension": _EXTENSION}]},
        ),
        good(
            "a list with holes in the values",
            PATIENT,
            {"name[0].given": ["Ada", None], "name[0]._given": [None, {"extension": _EXTENSION}]},
        ),
        good(
            "only a shadow list",
            PATIENT,
            {"name[0].given": DROP, "name[0]._given": [{"extension": _EXTENSION}]},
        ),
        good("the shadow of a boolean", PATIENT, {"_active": {"extension": _EXTENSION}}),
        good("the shadow of a choice", PATIENT, {"_deceasedBoolean": {"extension": _EXTENSION}}),
        good(
            "birth time",
            PATIENT,
            {
                "_birthDate": {
                    "extension": [
                        {
                            "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
                            "valueDateTime": "1970-03-30T14:35:45-05:00",
                        }
                    ]
                }
            },
        ),
        bad(
            "a hole on both sides", PATIENT, {"name[0].given": ["Ada", None], "name[0]._given": [None, None]}
        ),
        bad(
            "an unknown element in a shadow", PATIENT, {"_birthDate": {"value": "x", "extension": _EXTENSION}}
        ),
        bad("a shadow extension without url", PATIENT, {"_birthDate": {"extension": [{"valueCode": "x"}]}}),
        bad("a null as the shadow", PATIENT, {"_birthDate": None}),
        bad("the shadow of resourceType", PATIENT, {"_resourceType": {"id": "x"}}),
    ],
)

_BASES: Final = group(
    "base",
    "the resource's page",
    [
        good("a Patient", PATIENT),
        good("an Observation", OBSERVATION),
        good("an Organization", ORGANIZATION),
        good("a Condition", CONDITION),
        good("a ServiceRequest", SERVICE_REQUEST),
        good("Parameters", PARAMETERS),
        good(
            "an Observation in words", {"resourceType": "Observation", "status": "final", "code": text("Hb")}
        ),
        good("a bigger unit", OBSERVATION, {"valueQuantity": {"value": 72, "system": UCUM, "code": "g/L"}}),
    ],
)

CASES: Final[list[Case]] = [
    *_UNKNOWN,
    *_VERSIONS,
    *_CARDINALITY,
    *_CHOICE,
    *_KINDS,
    *_EMPTIES,
    *_SHADOWS,
    *_BASES,
]
