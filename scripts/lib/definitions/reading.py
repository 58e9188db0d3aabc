"""Resources out of packages: JSON from npm's archives, XML from Maven's."""

from __future__ import annotations

import json
import tarfile
import zipfile
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from definitions.fhir_xml import FhirXml

_WANTED: Final = ("StructureDefinition", "CodeSystem", "ValueSet")

Resource = dict[str, Any]


def from_npm(archive: Path) -> list[Resource]:
    """Return the structures, code systems and value sets of an npm package, by url."""
    with archive.open("rb") as packed:
        return _from_tar(packed)


def from_npm_in_jar(archive: Path, name: str) -> list[Resource]:
    """Return those of an npm package that lies inside a jar."""
    with zipfile.ZipFile(archive) as outer, outer.open(name) as packed:
        return _from_tar(packed)


def from_jar(archive: Path, reader: FhirXml) -> list[Resource]:
    """Return those of the XML bundles in a jar, by url."""
    found: list[Resource] = []
    with zipfile.ZipFile(archive) as packed:
        for name in packed.namelist():
            if name.endswith(".xml") and "/model/" in name:
                found.extend(reader.resources(packed.open(name), _WANTED))
    return sorted(found, key=_order)


def _from_tar(packed: IO[bytes]) -> list[Resource]:
    with tarfile.open(fileobj=packed) as unpacked:
        found = [resource for member in unpacked for resource in _member(unpacked, member)]
    return sorted(found, key=_order)


def _member(packed: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[Resource]:
    folder, _, name = member.name.rpartition("/")
    if folder != "package" or not name.startswith(_WANTED) or name.endswith((".sch", ".xml")):
        return
    source = packed.extractfile(member)
    if source is not None:
        yield json.load(source)


def _order(resource: Resource) -> tuple[str, str]:
    return resource["resourceType"], resource.get("url", "")
