"""One compiled file for each FHIR version."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.fhir.definitions import FORM
from caregrid.fhir.definitions.compiling import compile_structure
from caregrid.fhir.definitions.constraints import Inherited, Rules, rule_of
from caregrid.fhir.definitions.expansion import Terminology
from definitions.extensions import corrected, name_groups, widen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from definitions.packages import Package
    from definitions.reading import Resource

# Logical models describe no instances in JSON.
_LEFT_OUT: Final = frozenset({"logical"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """A package and what was read from it."""

    package: Package
    resources: list[Resource]


def make(version: str, core: Origin, *others: Origin) -> dict[str, Any]:
    """Return the definitions of a FHIR version: the core's, and what the others add to it."""
    origins = (core, *others)
    terminology = Terminology()
    for origin in origins:
        for resource in origin.resources:
            terminology.add(resource)
    rules = Rules()
    structures = _structures(origins, rules)
    return {
        "form": FORM,
        "version": version,
        "sources": [origin.package.note() for origin in origins],
        "invariants": rules.compiled(),
        "structures": structures,
        "valueSets": {url: terminology.expand(url).compiled() for url in sorted(terminology.value_sets)},
        "codeSystems": {url: one.compiled() for url, one in sorted(terminology.systems.items())},
    }


def pack(definitions: dict[str, Any]) -> bytes:
    """Return definitions as the file holds them: the same bytes for the same definitions."""
    text = json.dumps(definitions, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def _structures(origins: Iterable[Origin], rules: Rules) -> list[dict[str, Any]]:
    written: dict[str, Resource] = {}
    for origin in origins:
        for resource in origin.resources:
            if resource["resourceType"] == "StructureDefinition" and resource["kind"] not in _LEFT_OUT:
                known = written.setdefault(resource["url"], resource)
                if known is not resource and known["type"] == "Extension":
                    widen(known, resource)
    usable = [corrected(one) for _, one in sorted(written.items()) if "snapshot" in one]
    inherited = _inherited(usable)
    compiled = [compile_structure(one, rules, inherited) for one in usable]
    name_groups(compiled)
    return compiled


def _inherited(definitions: Iterable[Resource]) -> Inherited:
    types = [one for one in definitions if one.get("derivation") != "constraint"]
    rules = {
        rule_of(constraint)
        for one in types
        for element in one["snapshot"]["element"]
        for constraint in element.get("constraint", [])
    }
    return Inherited(types=frozenset(one["url"] for one in types), rules=frozenset(rules))
