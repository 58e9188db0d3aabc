"""What the settings name is read at the start and used for every record, or refused with what to do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from caregrid.errors import ConfigInvalid
from caregrid.fhir import FhirValidator, TerminologyServer
from caregrid.records import RecordFormat
from ocw_sidecar.adapters.validating import open_pseudonyms, open_validator
from ocw_sidecar.cli import doctor_validation
from ocw_sidecar.cli.findings import find
from ocw_sidecar.settings import Settings
from ocw_sidecar.settings.validation import ValidationSettings
from ocw_sidecar.testing import ORGANISATION, memory_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

R4 = RecordFormat.FHIR_R4_JSON
URL = "https://example.org/fhir/StructureDefinition/dated"
PROFILE = {
    "resourceType": "StructureDefinition",
    "url": URL,
    "name": "Dated",
    "type": "Patient",
    "kind": "resource",
    "derivation": "constraint",
    "fhirVersion": "4.0.1",
    "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient",
    "differential": {"element": [{"id": "Patient.birthDate", "path": "Patient.birthDate", "min": 1}]},
}
CLAIM = json.dumps({"resourceType": "Patient", "active": True, "meta": {"profile": [URL]}}).encode()
PSEUDONYMS = {"uri": "urn:example:study", "rules": [{"path": "Patient.name", "do": "remove"}]}
KEY = "5e" * 32


@pytest.fixture
def settings(tmp_path: Path) -> ValidationSettings:
    """Settings with definitions and pseudonyms."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "dated.json").write_text(json.dumps(PROFILE))
    (tmp_path / "pseudonyms.json").write_text(json.dumps(PSEUDONYMS))
    (tmp_path / "key").write_text(f"{KEY}\n")
    return ValidationSettings(
        profiles=tmp_path / "profiles",
        pseudonyms=tmp_path / "pseudonyms.json",
        pseudonym_key_file=tmp_path / "key",
    )


async def test_definitions_of_the_folder_are_used(settings: ValidationSettings) -> None:
    """What claims such a profile must follow it; what does not is judged as before."""
    async with open_validator(settings) as validator, open_validator(ValidationSettings()) as plain:
        assert [False, True] == [each.validate(CLAIM, R4).valid for each in (validator, plain)]
        assert validator.validate(b'{"resourceType": "Patient", "active": true}', R4).valid


def test_pseudonyms_are_read(settings: ValidationSettings) -> None:
    """From JSON or TOML, with the key of its own file."""
    found = open_pseudonyms(settings)
    assert found is not None
    assert ("urn:example:study", bytes.fromhex(KEY)) == (found.uri, found.key)
    assert settings.pseudonyms is not None
    toml = settings.pseudonyms.with_suffix(".toml")
    toml.write_text('uri = "urn:example:study"\n[[rules]]\npath = "Patient.name"\ndo = "remove"\n')
    assert found == open_pseudonyms(settings.model_copy(update={"pseudonyms": toml}))
    assert open_pseudonyms(ValidationSettings()) is None


async def opened(settings: ValidationSettings) -> None:
    """Open everything, as a start does."""
    open_pseudonyms(settings)
    async with open_validator(settings):
        pass


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("profiles/dated.json", "{", r"workers\.validation\.profiles .*dated\.json"),
        ("profiles/dated.json", json.dumps(PROFILE | {"baseDefinition": "urn:x"}), r"validation\.profiles"),
        ("profiles/dated.json", None, r"validation\.profiles .*put definitions there"),
        ("pseudonyms.json", "{", r"pseudonyms\.json is no TOML"),
        ("pseudonyms.json", "[]", r"pseudonyms\.json is no TOML"),
        ("pseudonyms.json", '{"uri": "urn:x", "other": 1}', r"pseudonyms\.json: .*uri, rules"),
        ("pseudonyms.json", None, r"cannot read .*pseudonyms\.json"),
        ("pseudonyms.json", " " * 1_100_000, "larger than"),
        ("key", "no hex", r"key holds no hex"),
        ("key", "5e" * 16, "at least 32"),
        ("key", None, r"cannot read .*key"),
    ],
)
async def test_what_cannot_be_used_ends_the_start(
    settings: ValidationSettings, tmp_path: Path, name: str, content: str | None, match: str
) -> None:
    """With exit code 78, and where to look; nothing of the key is repeated."""
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigInvalid, match=match) as caught:
        await opened(settings)
    assert 78 == caught.value.exit_code
    assert "5e5e" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"terminology_url": "http://tx.example/r4"}, "use https"),
        ({"terminology_url": "ftp://tx.example"}, "https://HOST"),
        ({"terminology_url": "https://me:secret@tx.example"}, "leave them out"),
        ({"terminology_url": "https://tx.example?x=1"}, "without a query"),
        ({"terminology_required": True}, "terminology_url"),
        ({"pseudonyms": "p.json"}, "go together"),
        ({"pseudonym_key_file": "key"}, "go together"),
        ({"terminology_timeout_s": 0}, "terminology_timeout_s"),
    ],
)
def test_nonsense_is_refused(given: dict[str, Any], match: str) -> None:
    """Before anything is opened; what may be a password is not repeated."""
    with pytest.raises(ConfigInvalid, match=match) as caught:
        Settings.load(organisation=ORGANISATION, workers={"validation": given})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://tx.example/r4", "http://127.0.0.1:8080/fhir", "http://[::1]/fhir"])
def test_private_ways_are_taken(url: str) -> None:
    """TLS, or this machine alone."""
    assert url == ValidationSettings(terminology_url=url).terminology_url


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """A terminology server that knows nothing, and says so."""

    async def unknown(_request: web.Request) -> web.Response:
        return web.json_response({"resourceType": "OperationOutcome"}, status=404)

    app = web.Application()
    app.router.add_post("/fhir/ValueSet/$validate-code", unknown)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/fhir"
    await runner.cleanup()


async def test_terminology_server_is_asked_while_it_is_open(server: str) -> None:
    """With the deadline of the settings; afterwards its connections are closed."""
    settings = ValidationSettings(terminology_url=server, terminology_timeout_s=7.0)
    async with open_validator(settings) as validator:
        asked = validator.terminology
        assert isinstance(asked, TerminologyServer)
        ports = replace((await memory_world()).ports, validator=validator)
        assert "the terminology server answers" in await doctor_validation.judging(ports)
    closed = await find("validation", doctor_validation.judging(ports))
    assert (False, True) == (closed.ok, "did not answer" in closed.detail)


async def test_doctor_shows_what_is_used(settings: ValidationSettings) -> None:
    """Definitions, pseudonyms, and a terminology server that is down."""
    world = await memory_world()
    async with open_validator(settings) as validator:
        ports = replace(world.ports, validator=validator, pseudonyms=open_pseudonyms(settings))
        assert "1 definitions beside HL7's; identifiers are replaced as urn:example:study says" == (
            await doctor_validation.judging(ports)
        )
    assert "0 definitions" in await doctor_validation.judging(replace(world.ports, validator=FhirValidator()))
    async with open_validator(ValidationSettings(terminology_url="http://127.0.0.1:1")) as validator:
        found = await find("validation", doctor_validation.judging(replace(world.ports, validator=validator)))
    assert not found.ok
