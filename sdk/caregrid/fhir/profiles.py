"""Definitions that a user supplies beside HL7's: profiles, extensions, value sets, code systems."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import InputInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

#: What a definition can be.
KINDS: Final = frozenset({"StructureDefinition", "ValueSet", "CodeSystem"})


@dataclass(frozen=True, slots=True)
class Profiles:
    """Definitions as FHIR resources, parsed."""

    definitions: tuple[Mapping[str, Any], ...] = ()
    mixed: bool = False  #: they are for several versions of FHIR; each serves its own

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Profiles:
        """Read files of one definition each, or of a Bundle of definitions.

        Raises:
            InputMissing, InputInvalid: a file is not there, is no JSON, or defines nothing.
        """
        return cls.parsed(path.read_bytes() for path in paths)

    @classmethod
    def parsed(cls, texts: Iterable[bytes]) -> Profiles:
        """Parse definitions, or Bundles of them.

        Raises:
            InputInvalid: a text is no JSON, or defines nothing.
        """
        return cls(tuple(one for text in texts for one in _resources(_loaded(text))))

    def of_resources(self) -> dict[str, list[str]]:
        """Return the URLs of the profiles on resources, by the kind of resource."""
        found: dict[str, list[str]] = {}
        for one in self.definitions:
            if one["resourceType"] == "StructureDefinition" and _constrains_resources(one):
                found.setdefault(one["type"], []).append(one["url"])
        return found

    def compiled(self, version: str) -> str:
        """Return what a native validator of that version takes in.

        Raises:
            DefinitionUnusable: a definition cannot be used; the message says which.
        """
        # For this alone, and most programs have no profiles of their own.
        from caregrid.fhir.definitions.profiles import compile_supplied  # noqa: PLC0415 - see above

        return json.dumps(compile_supplied(self.of_version(version), version))

    def of_version(self, version: str) -> list[Mapping[str, Any]]:
        """Return the definitions that serve a version: all, or where they are mixed those that say so."""
        from caregrid.fhir.definitions.profiles import serves  # noqa: PLC0415 - as above

        return [one for one in self.definitions if not self.mixed or serves(one, version)]


def _constrains_resources(definition: Mapping[str, Any]) -> bool:
    return definition.get("derivation") == "constraint" and definition.get("kind") == "resource"


def _loaded(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputInvalid("a definition must be a FHIR resource in JSON") from None


def _resources(resource: Any) -> Iterator[Mapping[str, Any]]:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if kind == "Bundle":
        for entry in resource.get("entry", []):
            yield from _resources(entry.get("resource"))
    elif kind in KINDS and isinstance(resource.get("url"), str) and isinstance(resource.get("type", ""), str):
        yield resource
    else:
        raise InputInvalid(
            f"a definition is one of {', '.join(sorted(KINDS))} with a url, or a Bundle of them"
        )
