"""The script's steps: packages are checked, structures of several packages are joined, bytes are the same."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from definitions import currencies, extensions
from definitions.making import Origin, make, pack
from definitions.packages import Package, fetch
from definitions.reading import from_npm, from_npm_in_jar

if TYPE_CHECKING:
    from pathlib import Path

NPM = Package(name="hl7.example", version="1.0.0", sha256=hashlib.sha256(b"archive").hexdigest())
MAVEN = Package(name="org.example:definitions", version="1.0.0", sha256="")


def structure(url: str, **more: Any) -> dict[str, Any]:
    """An extension's definition."""
    return {
        "resourceType": "StructureDefinition",
        "url": url,
        "name": "Some",
        "type": "Extension",
        "kind": "complex-type",
        "derivation": "constraint",
        "snapshot": {"element": [{"path": "Extension", "max": "1"}]},
        **more,
    }


def archive(*resources: tuple[str, Any]) -> bytes:
    """An npm package with these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, resource in resources:
            content = json.dumps(resource).encode()
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def test_a_package_that_is_not_the_pinned_one_stops_the_script(tmp_path: Path) -> None:
    """An archive is used only if its hash is the one in the source."""
    kept = tmp_path / NPM.file_name
    kept.write_bytes(b"archive")
    assert kept == fetch(NPM, tmp_path)
    kept.write_bytes(b"another")
    with pytest.raises(SystemExit, match="not the pinned one"):
        fetch(NPM, tmp_path)


def test_registries_are_told_apart_by_name() -> None:
    """Maven's names have a group; archives are named as the clients name them."""
    assert (False, True) == (NPM.is_maven, MAVEN.is_maven)
    assert ("hl7.example-1.0.0.tgz", "definitions-1.0.0.jar") == (NPM.file_name, MAVEN.file_name)


def test_only_definitions_are_read_from_an_npm_package(tmp_path: Path) -> None:
    """Structures, value sets and code systems, in the order of their urls, also from inside a jar."""
    packed = archive(
        ("package.json", {}),
        ("StructureDefinition-b.json", structure("b")),
        ("StructureDefinition-a.json", structure("a")),
        ("ConceptMap-c.json", {"resourceType": "ConceptMap", "url": "c"}),
    )
    npm, jar = tmp_path / "a.tgz", tmp_path / "a.jar"
    npm.write_bytes(packed)
    with zipfile.ZipFile(jar, "w") as outer:
        outer.writestr("inner.tgz", packed)
    assert ["a", "b"] == [one["url"] for one in from_npm(npm)]
    assert from_npm(npm) == from_npm_in_jar(jar, "inner.tgz")


def test_the_first_package_counts_and_later_ones_widen_where_extensions_may_stand() -> None:
    """The core of a version defines; a later package adds contexts, and says what holds in them."""
    one, two = {"type": "element", "expression": "Patient"}, {"type": "element", "expression": "Group"}
    core = structure("e", name="Core", context=[one], contextInvariant=["old"])
    later = structure("e", name="Later", context=[one, two], contextInvariant=["new"])
    logical = structure("l", kind="logical")
    made = make(
        "4.0.1",
        Origin(package=NPM, resources=[core, logical]),
        Origin(package=MAVEN, resources=[later, structure("f")]),
    )
    assert [NPM.note(), MAVEN.note()] == made["sources"]
    assert ["e", "f"] == [found["url"] for found in made["structures"]]
    found = made["structures"][0]
    assert ("Core", [one, two], ["new"]) == (found["name"], found["context"], found["contextInvariants"])


def test_extensions_may_stand_as_often_as_hl7_allows_today() -> None:
    """A later package that takes the limit away takes it away."""
    later = structure("e", snapshot={"element": [{"path": "Extension", "max": "*"}]})
    made = make(
        "4.0.1",
        Origin(package=NPM, resources=[structure("e"), structure("f")]),
        Origin(package=MAVEN, resources=[later]),
    )
    assert [None, 1] == [found["elements"][0].get("max") for found in made["structures"]]


def test_names_of_groups_of_resources_become_the_resources() -> None:
    """`CanonicalResource` is no type of R4: those with the status of a publication are meant."""
    binding = {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/publication-status"}
    status = {"path": "ValueSet.status", "binding": binding}
    artefact = structure("r", type="ValueSet", kind="resource", derivation="specialization")
    artefact["snapshot"] = {"element": [{"path": "ValueSet"}, status]}
    contexts = [{"type": "element", "expression": name} for name in ("CanonicalResource", "Patient")]
    made = make("4.0.1", Origin(package=NPM, resources=[structure("e", context=contexts), artefact]))
    assert ["Patient", "ValueSet"] == [one["expression"] for one in made["structures"][0]["context"]]


@pytest.mark.parametrize("url", extensions.FURTHER_CONTEXTS)
def test_contexts_that_hl7_forgot_are_added(url: str) -> None:
    """HL7's own definitions have these extensions there."""
    known = structure(url, context=[{"type": "element", "expression": "Patient"}])
    contexts = [one["expression"] for one in extensions.corrected(known)["context"]]
    assert ["Patient", extensions.FURTHER_CONTEXTS[url]] == contexts
    assert 1 == len(known["context"])


@pytest.mark.parametrize("url", sorted(extensions.REPEATED))
def test_extensions_that_hl7_repeats_may_repeat(url: str) -> None:
    """Their definitions allow one, HL7's own resources have two."""
    assert "*" == extensions.corrected(structure(url))["snapshot"]["element"][0]["max"]


def test_the_same_definitions_are_the_same_bytes() -> None:
    """Neither the order of making nor the time shows."""
    first, second = pack({"b": 1, "a": "é"}), pack({"a": "é", "b": 1})
    assert first == second
    assert '{"a":"é","b":1}' == gzip.decompress(first).decode()


def test_currencies_come_from_the_expansion_and_what_came_since() -> None:
    """A code system of ISO 4217, in full."""
    listed = {"contains": [{"code": "EUR", "display": "Euro"}]}
    other = {"url": "http://hl7.org/fhir/ValueSet/other"}
    system = currencies.code_system(
        [other, {"url": "http://hl7.org/fhir/ValueSet/currencies", "expansion": listed}]
    )
    codes = [one["code"] for one in system["concept"]]
    assert ("urn:iso:std:iso:4217", "complete", "EUR") == (system["url"], system["content"], codes[0])
    assert {"XCG", "ZWG"} <= set(codes)
