"""Changes to any valid resource: such as break one rule, and such as break none.

Each breaks (or keeps) a rule that holds everywhere, so no knowledge of the resource is needed.
"""

from __future__ import annotations

import json
import random
import re
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.corpus.cases import Case, encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.corpus.cases import Resource

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_STRANGE: Final = "http://spital.example/fhir/StructureDefinition/strange"


@dataclass(frozen=True, slots=True)
class Place:
    """A member of an object somewhere inside a resource."""

    inside: dict[str, Any]
    name: str
    depth: int

    @property
    def value(self) -> Any:
        """What stands there."""
        return self.inside[self.name]


def places(value: Any, depth: int = 0) -> Iterator[Place]:
    """Yield every member of every object, but not what stands in shadows and extensions."""
    if isinstance(value, list):
        for item in value:
            yield from places(item, depth)
    elif isinstance(value, dict):
        for name in value:
            yield Place(value, name, depth)
            if not name.startswith("_") and name not in {"extension", "modifierExtension"}:
                yield from places(value[name], depth + 1)


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change."""

    name: str
    rule: str
    spec: str
    valid: bool
    fits: Callable[[Place], bool]
    apply: Callable[[Place], None]

    def of(self, resource: Resource, source: random.Random) -> bytes | None:
        """Return the resource with this change at a random place, or nothing if no place fits."""
        copy = deepcopy(resource)
        fitting = [place for place in places(copy) if self.fits(place)]
        if not fitting:
            return None
        self.apply(source.choice(fitting))
        return encoded(copy)


def _put(name: str, value: Any) -> Callable[[Place], None]:
    def put(place: Place) -> None:
        place.inside[name] = deepcopy(value)

    return put


def _become(change: Callable[[Any], Any]) -> Callable[[Place], None]:
    def become(place: Place) -> None:
        place.inside[place.name] = change(place.value)

    return become


def _is_object(place: Place) -> bool:
    return isinstance(place.value, dict) and place.name not in {"resource", "outcome"}


def _is_objects(place: Place) -> bool:
    return isinstance(place.value, list) and isinstance(place.value[0], dict) and place.name != "contained"


def _is_text(place: Place) -> bool:
    return isinstance(place.value, str) and place.name not in {"resourceType", "div", "reference", "data"}


def _is_day(place: Place) -> bool:
    return (
        _is_text(place)
        and _DATE.fullmatch(place.value) is not None
        and "Date" in f"{place.name[0].upper()}{place.name[1:]}"
    )


def _is_time(place: Place) -> bool:
    return place.name in {"lastUpdated", "issued", "authoredOn", "recorded"} and "T" in str(place.value)


def _is_number(place: Place) -> bool:
    return isinstance(place.value, int | float) and not isinstance(place.value, bool)


def _named(*names: str) -> Callable[[Place], bool]:
    return lambda place: place.name in names and isinstance(place.value, str)


def _at_root(name: str) -> Callable[[Place], bool]:
    return lambda place: place.depth == 0 and place.name == name


def _coding(place: Place) -> bool:
    # A profile may fix the codings of a category.
    return place.name == "coding" and isinstance(place.value, list) and "vital-signs" not in str(place.value)


def _plain_extensible(place: Place) -> bool:
    return _is_object(place) and "extension" not in place.value and place.name not in {"text", "meta"}


def _extend(place: Place) -> None:
    place.value["extension"] = [{"url": _STRANGE, "valueString": "x"}]


def _shadow(place: Place) -> None:
    place.inside[f"_{place.name}"] = {"extension": [{"url": _STRANGE, "valueString": "x"}]}


def _bare_text(place: Place) -> bool:
    return _is_text(place) and f"_{place.name}" not in place.inside and place.name not in {"id", "url"}


_JSON: Final = "json.html"
_KEEPS: Final = True
_BREAKS: Final = False
MUTATIONS: Final = [
    Mutation(
        "an unknown member at the root",
        "unknown-element",
        _JSON,
        _BREAKS,
        _at_root("resourceType"),
        _put("remark", "x"),
    ),
    Mutation(
        "an unknown member of an object",
        "unknown-element",
        _JSON,
        _BREAKS,
        _is_object,
        lambda place: _put("remark", "x")(Place(place.value, "", 0)),
    ),
    Mutation(
        "an unknown type",
        "unknown-element",
        "resourcelist.html",
        _BREAKS,
        _at_root("resourceType"),
        _become(lambda _: "Record"),
    ),
    Mutation(
        "a list around an object", "cardinality", _JSON, _BREAKS, _is_object, _become(lambda value: [value])
    ),
    Mutation(
        "no list around objects", "cardinality", _JSON, _BREAKS, _is_objects, _become(lambda value: value[0])
    ),
    Mutation(
        "a list around a string", "cardinality", _JSON, _BREAKS, _is_text, _become(lambda value: [value])
    ),
    Mutation(
        "an object for a string",
        "json-kind",
        _JSON,
        _BREAKS,
        _is_text,
        _become(lambda value: {"value": value}),
    ),
    Mutation("a string for an object", "json-kind", _JSON, _BREAKS, _is_object, _become(lambda _: "x")),
    Mutation("a number for a string", "json-kind", _JSON, _BREAKS, _is_text, _become(lambda _: 7)),
    Mutation("a string for a number", "json-kind", _JSON, _BREAKS, _is_number, _become(str)),
    Mutation(
        "a boolean in quotes",
        "json-kind",
        _JSON,
        _BREAKS,
        lambda place: isinstance(place.value, bool),
        _become(lambda value: str(value).lower()),
    ),
    Mutation("an empty string", "empty", _JSON, _BREAKS, _is_text, _become(lambda _: "")),
    Mutation("an empty object", "empty", _JSON, _BREAKS, _is_object, _become(lambda _: {})),
    Mutation(
        "an empty list",
        "empty",
        _JSON,
        _BREAKS,
        lambda place: isinstance(place.value, list),
        _become(lambda _: []),
    ),
    Mutation(
        "null", "empty", _JSON, _BREAKS, lambda place: place.name != "resourceType", _become(lambda _: None)
    ),
    Mutation(
        "null in a list of objects",
        "empty",
        _JSON,
        _BREAKS,
        _is_objects,
        _become(lambda value: [*value, None]),
    ),
    Mutation(
        "a day that is none",
        "format-date",
        "datatypes.html#date",
        _BREAKS,
        _is_day,
        _become(lambda value: f"{value[:4]}-02-30"),
    ),
    Mutation(
        "a day in other writing",
        "format-date",
        "datatypes.html#date",
        _BREAKS,
        _is_day,
        _become(lambda value: value.replace("-", "/")),
    ),
    Mutation(
        "a time without zone",
        "format-instant",
        "datatypes.html#instant",
        _BREAKS,
        _is_time,
        _become(lambda value: value[:19]),
    ),
    Mutation(
        "an id with a blank",
        "format-id",
        "resource.html#id",
        _BREAKS,
        _at_root("id"),
        _become(lambda _: "a b"),
    ),
    Mutation(
        "an id too long",
        "format-id",
        "resource.html#id",
        _BREAKS,
        _at_root("id"),
        _become(lambda _: "a" * 65),
    ),
    Mutation(
        "a code with a blank behind",
        "format-code",
        "datatypes.html#code",
        _BREAKS,
        _named("status", "intent", "gender"),
        _become(lambda value: f"{value} "),
    ),
    Mutation(
        "a status that is none",
        "binding-required",
        "terminologies.html#required",
        _BREAKS,
        lambda place: place.depth == 0 and _named("status", "gender", "intent")(place),
        _become(lambda _: "nonsense"),
    ),
    Mutation(
        "a status in capitals",
        "binding-required",
        "terminologies.html#required",
        _BREAKS,
        lambda place: place.depth == 0 and _named("status", "gender", "intent")(place),
        _become(str.upper),
    ),
    Mutation(
        "a script in the narrative",
        "narrative",
        "narrative.html",
        _BREAKS,
        _named("div"),
        _become(lambda value: value.replace("</div>", "<script>x</script></div>")),
    ),
    Mutation(
        "a narrative not closed",
        "narrative",
        "narrative.html",
        _BREAKS,
        _named("div"),
        _become(lambda value: value.removesuffix("</div>")),
    ),
    Mutation(
        "a narrative without namespace",
        "narrative",
        "narrative.html",
        _BREAKS,
        _named("div"),
        _become(lambda value: value.replace("http://www.w3.org/1999/xhtml", "http://hl7.org/fhir")),
    ),
    Mutation(
        "one more paragraph",
        "narrative",
        "narrative.html",
        _KEEPS,
        lambda place: place.name == "div" and str(place.value).endswith("</div>"),
        _become(lambda value: value.removesuffix("</div>") + "<p>x</p></div>"),
    ),
    Mutation(
        "a reference to what is not contained",
        "invariant-ref-1",
        "references.html#contained",
        _BREAKS,
        _named("reference"),
        _become(lambda _: "#nowhere-at-all"),
    ),
    Mutation(
        "an unknown modifier extension",
        "extension-modifier",
        "extensibility.html",
        _BREAKS,
        lambda place: _at_root("status")(place) and "modifierExtension" not in place.inside,
        _put("modifierExtension", [{"url": _STRANGE, "valueBoolean": True}]),
    ),
    Mutation(
        "an extension with two values",
        "choice",
        "extensibility.html",
        _BREAKS,
        lambda place: _at_root("status")(place) and "extension" not in place.inside,
        _put("extension", [{"url": _STRANGE, "valueString": "x", "valueCode": "y"}]),
    ),
    Mutation(
        "an extension of nothing",
        "invariant-ext-1",
        "extensibility.html",
        _BREAKS,
        _plain_extensible,
        lambda place: _put("extension", [{"url": _STRANGE}])(Place(place.value, "", 0)),
    ),
    Mutation(
        "an extension without url",
        "cardinality",
        "extensibility.html",
        _BREAKS,
        _plain_extensible,
        lambda place: _put("extension", [{"valueString": "x"}])(Place(place.value, "", 0)),
    ),
    Mutation(
        "an extension of one's own",
        "extension-form",
        "extensibility.html",
        _KEEPS,
        _plain_extensible,
        _extend,
    ),
    Mutation("an extension of a primitive", "primitive-extension", _JSON, _KEEPS, _bare_text, _shadow),
    Mutation(
        "an id of an element",
        "base",
        "element.html",
        _KEEPS,
        lambda place: (
            _is_object(place)
            and place.name != "meta"
            and "id" not in place.value
            and "resourceType" not in place.value
        ),
        lambda place: _put("id", "e-1")(Place(place.value, "", 0)),
    ),
    Mutation(
        "a tag",
        "base",
        "resource.html#Meta",
        _KEEPS,
        lambda place: _at_root("resourceType")(place) and "meta" not in place.inside,
        _put("meta", {"tag": [{"system": "http://spital.example/tags", "code": "x"}]}),
    ),
    Mutation(
        "a language",
        "code-syntax",
        "resource.html",
        _KEEPS,
        lambda place: _at_root("resourceType")(place) and "language" not in place.inside,
        _put("language", "de-CH"),
    ),
    Mutation(
        "words of other writing",
        "base",
        "datatypes.html#string",
        _KEEPS,
        _named("display", "description", "title", "comment"),
        _become(lambda value: f"{value} - Ünïcödé 漢字 🙂"),
    ),
    Mutation(
        "one more coding",
        "binding-extensible",
        "datatypes.html#CodeableConcept",
        _KEEPS,
        _coding,
        _become(lambda value: [*value, {"system": "http://spital.example/codes", "code": "x-1"}]),
    ),
    Mutation(
        "members sorted", "json", _JSON, _KEEPS, _at_root("resourceType"), lambda place: _sort(place.inside)
    ),
]


def _sort(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _sort(item)
    elif isinstance(value, dict):
        for name in sorted(value):
            member = value.pop(name)
            _sort(member)
            value[name] = member


#: As many tries of a change that keeps the meaning, so that valid cases are about as many.
_TRIES: Final = 4


def mutated(name: str, version: str, content: bytes, seed: int = 0) -> Iterator[Case]:
    """Yield a valid resource as it is, and every change that fits it."""
    yield Case(
        rule="example", name=name, spec="official example", valid=True, version=version, content=content
    )
    resource, seen = json.loads(content), {content}
    for mutation in MUTATIONS:
        for attempt in range(_TRIES if mutation.valid else 1):
            source = random.Random(f"{seed}/{name}/{mutation.name}/{attempt}")  # noqa: S311 - a test's choice
            changed = mutation.of(resource, source)
            if changed is not None and changed not in seen:
                seen.add(changed)
                yield Case(
                    rule=mutation.rule,
                    name=f"{name}: {mutation.name}, {attempt}",
                    spec=mutation.spec,
                    valid=mutation.valid,
                    version=version,
                    content=changed,
                )
