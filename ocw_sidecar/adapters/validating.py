"""Opens what records are judged by, as the settings say: definitions, a terminology server, pseudonyms."""

from __future__ import annotations

import asyncio
import json
import tomllib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import ConfigInvalid, InputInvalid
from caregrid.fhir import FhirValidator, Profiles, TerminologyServer
from caregrid.fhir.packages import read_folder
from caregrid.fhir.port import VERSIONS
from caregrid.preprocessing import PseudonymProfile
from caregrid.records import RecordFormat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ocw_sidecar.settings.validation import ValidationSettings

#: A profile has a handful of rules, a key a line.
MAX_FILE_BYTES: Final = 1024 * 1024

_WHERE: Final = "workers.validation"


@asynccontextmanager
async def open_validator(settings: ValidationSettings) -> AsyncIterator[FhirValidator]:
    """Yield a validator that has read everything it needs; close its connections at the end.

    Opening takes a tenth of a second, and some seconds where there are definitions beside HL7's.

    Raises:
        ConfigInvalid: a definition is missing or cannot be used.
    """
    profiles = await asyncio.to_thread(_profiles, settings.profiles)
    server = _server(settings)
    try:
        validator = FhirValidator(profiles=profiles, terminology=server)
        await asyncio.to_thread(_warm_up, validator)
        yield validator
    finally:
        if server is not None:
            await asyncio.to_thread(server.close)


def open_pseudonyms(settings: ValidationSettings) -> PseudonymProfile | None:
    """Return how identifiers are replaced, if they are.

    Raises:
        ConfigInvalid: a file is missing or cannot be used; no part of the key is repeated.
    """
    if settings.pseudonyms is None or settings.pseudonym_key_file is None:
        return None
    declared = _declared(settings.pseudonyms)
    try:
        return PseudonymProfile.from_mapping(declared, _key(settings.pseudonym_key_file))
    except ConfigInvalid as exc:
        raise ConfigInvalid(f"{settings.pseudonyms}: {exc}; see {_WHERE}.pseudonyms") from exc


def _server(settings: ValidationSettings) -> TerminologyServer | None:
    if settings.terminology_url is None:
        return None
    return TerminologyServer(settings.terminology_url, timeout_s=settings.terminology_timeout_s)


def _profiles(folder: Path | None) -> Profiles:
    try:
        return Profiles() if folder is None else read_folder(folder)
    except (InputInvalid, OSError) as exc:
        raise ConfigInvalid(f"{_WHERE}.profiles cannot be used: {_words(exc)}") from exc


def _warm_up(validator: FhirValidator) -> None:
    supplied = validator.profiles
    served = [format_ for format_, version in VERSIONS.items() if supplied.of_version(version)]
    try:
        validator.warm_up(RecordFormat.FHIR_R4_JSON, *served)
    except InputInvalid as exc:
        raise ConfigInvalid(f"{_WHERE}.profiles cannot be used: {exc}") from exc


def _declared(path: Path) -> dict[str, Any]:
    text = _text(path, "pseudonyms")
    try:
        found = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ConfigInvalid(f"{path} is no TOML (*.toml) and no JSON object; see {_WHERE}.pseudonyms")
    return found


def _key(path: Path) -> bytes:
    try:
        return bytes.fromhex(_text(path, "pseudonym_key_file").strip())
    except ValueError:
        raise ConfigInvalid(f"{path} holds no hex digits; see {_WHERE}.pseudonym_key_file") from None


def _text(path: Path, setting: str) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_FILE_BYTES + 1)
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigInvalid(f"{_WHERE}.{setting}: cannot read {path}: {_words(exc)}") from None
    if len(text) > MAX_FILE_BYTES:
        raise ConfigInvalid(f"{_WHERE}.{setting}: {path} is larger than {MAX_FILE_BYTES} bytes")
    return text


def _words(fault: Exception) -> str:
    if isinstance(fault, OSError):
        return fault.strerror or "it cannot be read"
    return "it is no text" if isinstance(fault, UnicodeDecodeError) else str(fault)
