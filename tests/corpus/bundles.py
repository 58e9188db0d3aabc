"""Rules of Bundles by their type."""

from __future__ import annotations

from typing import Final

from tests.corpus.bases import (
    COLLECTION,
    COMPOSITION_5,
    HISTORY,
    MESSAGE_4,
    ORGANIZATION,
    P1,
    P2,
    SEARCHSET,
    TRANSACTION,
    document,
)
from tests.corpus.cases import ALL, DROP, R4, R5, Case, Draft, Resource, bad, good, group

_REQUEST: Final = {"method": "POST", "url": "Patient"}
_BATCH: Final = TRANSACTION | {"type": "batch"}
_RESPONSE: Final = {
    "resourceType": "Bundle",
    "id": "r",
    "type": "transaction-response",
    "entry": [
        {
            "response": {
                "status": "201 Created",
                "location": "Patient/1/_history/1",
                "lastModified": "2024-01-01T00:00:00Z",
            }
        }
    ],
}

_RULES: Final[list[tuple[str, list[Draft]]]] = [
    (
        "bdl-1",
        [
            bad("a total of a collection", COLLECTION, {"total": 2}),
            bad("a total of a transaction", TRANSACTION, {"total": 2}),
            good("a total of a search", SEARCHSET, {"total": 40}),
            good("a total of a history", HISTORY, {"total": 1}),
        ],
    ),
    (
        "bdl-2",
        [
            bad("a search mode in a collection", COLLECTION, {"entry[0].search": {"mode": "match"}}),
            good("an included entry", SEARCHSET, {"entry[0].search.mode": "include"}),
            bad("a mode that is none", SEARCHSET, {"entry[0].search.mode": "found"}),
        ],
    ),
    (
        "bdl-3",
        [
            bad("a transaction without request", TRANSACTION, {"entry[0].request": DROP}),
            bad("a batch without request", _BATCH, {"entry[1].request": DROP}),
            bad("a request in a collection", COLLECTION, {"entry[0].request": _REQUEST}),
            bad("a request in a search", SEARCHSET, {"entry[0].request": _REQUEST}),
            good("a batch", _BATCH),
            good("a transaction", TRANSACTION),
        ],
    ),
    (
        "bdl-4",
        [
            bad("a response in a collection", COLLECTION, {"entry[0].response": {"status": "200"}}),
            bad("a response in a transaction", TRANSACTION, {"entry[0].response": {"status": "200"}}),
            bad(
                "a transaction response without",
                _RESPONSE,
                {"entry[0]": {"fullUrl": P1, "resource": ORGANIZATION | {"id": "o"}}},
            ),
            good("a response", _RESPONSE),
            good(
                "a response with a resource",
                _RESPONSE,
                {
                    "entry[0].resource": ORGANIZATION,
                    "entry[0].fullUrl": "http://spital.example/fhir/Organization/o1",
                },
            ),
            bad("a response without status", _RESPONSE, {"entry[0].response.status": DROP}),
        ],
    ),
    (
        "bdl-5",
        [
            bad("an entry of a url", COLLECTION, {"entry[0]": {"fullUrl": P1}}),
            good(
                "a delete has no resource",
                TRANSACTION,
                {"entry[2]": {"request": {"method": "DELETE", "url": "Patient/7"}}},
            ),
            good(
                "nor has a get",
                TRANSACTION,
                {"entry[2]": {"request": {"method": "GET", "url": "Patient?name=berg"}}},
            ),
        ],
    ),
    (
        "bdl-7",
        [
            bad("a url twice", COLLECTION, {"entry[1].fullUrl": P1}),
            bad("a url twice in a transaction", TRANSACTION, {"entry[1].fullUrl": P1}),
            good("a url twice in a history", HISTORY, {"entry[1]": HISTORY["entry"][0]}),
        ],
    ),
    (
        "bdl-8",
        [
            bad(
                "a version in the url",
                SEARCHSET,
                {"entry[0].fullUrl": "http://spital.example/fhir/Patient/p1/_history/2"},
            ),
        ],
    ),
    (
        "bundle-fullurl",
        [
            bad("not absolute", COLLECTION, {"entry[0].fullUrl": "Patient/p1"}),
            bad("of another id", SEARCHSET, {"entry[0].fullUrl": "http://spital.example/fhir/Patient/p9"}),
            bad(
                "a UUID that is none",
                COLLECTION,
                {"entry[0].fullUrl": "urn:uuid:patient-1", "entry[1].resource.subject": DROP},
            ),
            bad(
                "an OID that is none",
                COLLECTION,
                {"entry[0].fullUrl": "urn:oid:patient", "entry[1].resource.subject": DROP},
            ),
            good(
                "of the same id",
                COLLECTION,
                {
                    "entry[0].fullUrl": "http://spital.example/fhir/Patient/p1",
                    "entry[0].resource.id": "p1",
                    "entry[1].resource.subject.reference": "http://spital.example/fhir/Patient/p1",
                },
            ),
            good(
                "an OID",
                COLLECTION,
                {"entry[0].fullUrl": "urn:oid:1.2.3", "entry[1].resource.subject.reference": "urn:oid:1.2.3"},
            ),
            good(
                "an entry with a resource and no fullUrl in a transaction",
                TRANSACTION,
                {"entry[1].fullUrl": DROP},
            ),
        ],
    ),
    (
        "bundle-request",
        [
            bad("no method", TRANSACTION, {"entry[0].request.method": DROP}),
            bad("no url", TRANSACTION, {"entry[0].request.url": DROP}),
            bad("a method that is none", TRANSACTION, {"entry[0].request.method": "SEND"}),
            bad("a method in lower case", TRANSACTION, {"entry[0].request.method": "post"}),
            good(
                "if none exists",
                TRANSACTION,
                {"entry[0].request.ifNoneExist": "identifier=urn:oid:2.16.756.5.30|4711"},
            ),
            good(
                "a put",
                TRANSACTION,
                {
                    "entry[0].request": {"method": "PUT", "url": "Patient/p1", "ifMatch": 'W/"2"'},
                    "entry[0].resource.id": "p1",
                    "entry[0].fullUrl": "http://spital.example/fhir/Patient/p1",
                    "entry[1].resource.subject.reference": "Patient/p1",
                },
            ),
            good(
                "a conditional reference",
                TRANSACTION,
                {"entry[1].resource.subject.reference": "Patient?identifier=urn:oid:2.16.756.5.30|4711"},
            ),
        ],
    ),
    (
        "bundle-references",
        [
            good(
                "to a server's resource",
                TRANSACTION,
                {"entry[1].resource.subject.reference": "Patient/elsewhere"},
            ),
            good("to a UUID within", TRANSACTION),
            bad("to a resource of the wrong type", COLLECTION, {"entry[1].resource.subject.reference": P2}),
            bad(
                "to a resource of the wrong type in a transaction",
                TRANSACTION,
                {"entry[0].resource.managingOrganization.reference": P2},
            ),
        ],
    ),
    (
        "bundle-entries",
        [
            bad("a broken entry", COLLECTION, {"entry[1].resource.status": "nonsense"}),
            bad("an entry of no type", COLLECTION, {"entry[1].resource.resourceType": DROP}),
            bad(
                "a broken Bundle in a Bundle",
                COLLECTION,
                {"entry[0].resource": COLLECTION | {"type": "box"}, "entry[1].resource.subject": DROP},
            ),
            good("an empty collection", {"resourceType": "Bundle", "type": "collection"}),
            good("without an id", COLLECTION, {"id": DROP}),
            bad("a link without url", SEARCHSET, {"link": [{"relation": "next"}]}),
            bad("a negative total", SEARCHSET, {"total": -1}),
            good("a history", HISTORY),
            good("a collection", COLLECTION),
            good("a search", SEARCHSET),
        ],
    ),
]


def _documents(whole: Resource) -> list[Draft]:
    return [
        good("a document", whole),
        bad("no identifier", whole, {"identifier": DROP}),
        bad("no system of the identifier", whole, {"identifier.system": DROP}),
        bad("no value of the identifier", whole, {"identifier.value": DROP}),
        bad("no timestamp", whole, {"timestamp": DROP}),
        bad("no composition", whole, {"entry[0]": DROP}),
        bad(
            "the composition second",
            whole,
            {"entry": [whole["entry"][1], whole["entry"][0], whole["entry"][2]]},
        ),
        bad("no entries", whole, {"entry": DROP}),
        bad("a broken section", whole, {"entry[0].resource.section": [{"title": "x"}]}),
        bad(
            "an author of the wrong type",
            whole,
            {"entry[0].resource.author": [{"reference": "http://spital.example/fhir/Composition/doc"}]},
        ),
    ]


_MESSAGES: Final = [
    good("a message", MESSAGE_4),
    bad("no header", MESSAGE_4, {"entry[0]": DROP}),
    bad("the header second", MESSAGE_4, {"entry": MESSAGE_4["entry"][::-1]}),
    bad("no source", MESSAGE_4, {"entry[0].resource.source": DROP}),
    bad("no event", MESSAGE_4, {"entry[0].resource.eventCoding": DROP}),
]

CASES: Final[list[Case]] = [
    *(
        case
        for rule, drafts in _RULES
        for case in group(
            rule,
            "bundle.html, http.html#transaction",
            drafts,
            R4 if rule in {"bdl-4", "bundle-request"} else ALL,
        )
    ),
    *group("bundle-document", "documents.html, bdl-9, bdl-10, bdl-11", _documents(document()), R4),
    *group(
        "bundle-document", "documents.html, bdl-9, bdl-10, bdl-11", _documents(document(COMPOSITION_5)), R5
    ),
    *group(
        "bundle-entries",
        "bundle.html R5, bdl-18: a search has a link to itself",
        [
            bad("an empty search", {"resourceType": "Bundle", "type": "searchset", "total": 0}),
            bad("a search without links", SEARCHSET, {"link": DROP}),
        ],
        R5,
    ),
    *group(
        "bundle-entries",
        "bundle.html R4: links are optional",
        [
            good("an empty search", {"resourceType": "Bundle", "type": "searchset", "total": 0}),
            good("a search without links", SEARCHSET, {"link": DROP}),
        ],
        R4,
    ),
    *group("bundle-message", "messaging.html, bdl-12", _MESSAGES, R4),
]
