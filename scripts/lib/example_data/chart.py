"""A FHIR transaction under construction, and the data types its resources are made of."""

from __future__ import annotations

import random
import uuid
from typing import Any

from example_data.facts import SEED, TERMINOLOGY, TEST_DATA, UCUM

Json = dict[str, Any]


class Chart:
    """The transaction under construction: resources in the order they were added."""

    def __init__(self) -> None:
        self.random = random.Random(SEED)  # noqa: S311 - made-up patients need no secrets
        self.entries: list[Json] = []

    def new_id(self) -> str:
        """Return the next id, a UUID of the seeded sequence."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def add(self, kind: str, **fields: Any) -> Json:
        """Add a resource that the receiver numbers, and return a reference to it."""
        return self._add(kind, {"method": "POST", "url": kind}, self.new_id(), fields)

    def put(self, kind: str, **fields: Any) -> Json:
        """Add a resource under an id of our own, as for people and places, and return a reference to it."""
        number = self.new_id()
        return self._add(kind, {"method": "PUT", "url": f"{kind}/{number}"}, number, {"id": number, **fields})

    def bundle(self) -> Json:
        """Return the transaction."""
        return {
            "resourceType": "Bundle",
            "meta": {"tag": [TEST_DATA]},
            "type": "transaction",
            "entry": self.entries,
        }

    def _add(self, kind: str, request: Json, number: str, fields: Json) -> Json:
        present = {name: value for name, value in fields.items() if value is not None}
        resource = {"resourceType": kind, "meta": {"tag": [TEST_DATA]}, **present}
        url = f"urn:uuid:{number}"
        self.entries.append({"fullUrl": url, "resource": resource, "request": request})
        return {"reference": url}


def concept(system: str, code: str, display: str) -> Json:
    """Return a CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def term(code_system: str, code: str) -> Json:
    """Return a CodeableConcept of one of HL7's own terms."""
    return {"coding": [{"system": f"{TERMINOLOGY}/{code_system}", "code": code}]}


def quantity(value: float, unit: str, ucum: str) -> Json:
    """Return a Quantity in a UCUM unit."""
    return {"value": value, "unit": unit, "system": UCUM, "code": ucum}


def rounded(value: float, decimals: int) -> float:
    """Return the value with so many decimals; an integer for none."""
    return round(value, decimals) if decimals else round(value)
