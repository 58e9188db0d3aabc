"""The API's description: what is committed is what is served, and what is served is true."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from aiohttp.test_utils import TestServer
from pydantic import ByteSize

from ocw_sidecar.api.connections import SERVER_OPTIONS
from ocw_sidecar.api.openapi import PATH
from ocw_sidecar.callers.items import Scope
from ocw_sidecar.settings import Settings
from ocw_sidecar.settings.api import ApiSettings
from ocw_sidecar.testing import ORGANISATION
from openapi_document import DOCUMENT, document_text, whole_api
from tests.unit.sidecar.api.calls import get, token_for

if TYPE_CHECKING:
    from tests.unit.sidecar.api.calls import Client

HOOKS: Final = Path(__file__).with_name("fuzzing_hooks.py")

#: Requests that are tried of each kind, beyond those that stand for its edges.
EXAMPLES: Final = 15
#: The fuzzer ends by itself well before.
FUZZING_TIMEOUT_S: Final = 200.0


def test_the_committed_description_is_the_present_one() -> None:
    """`scripts/make-openapi` writes it; this fails when it was not run after a change."""
    assert document_text() == DOCUMENT.read_text(encoding="utf-8")


async def test_the_description_is_served(client: Client) -> None:
    """Without a token, for it holds no secret; every route of the application stands in it."""
    status, served = await get(client, PATH, headers={"Authorization": ""})
    assert (200, "3.1.0") == (status, served["openapi"])
    routes = {
        (route.method, route.resource.canonical)
        for route in client.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    described = {(method.upper(), path) for path, item in served["paths"].items() for method in item}
    assert routes == described


def test_references_lead_somewhere() -> None:
    """Every schema that is named is there, and none is there for nothing."""
    text = DOCUMENT.read_text(encoding="utf-8")
    schemas = json.loads(text)["components"]["schemas"]
    assert set(schemas) == {
        name for name in schemas if f'"#/components/schemas/{name}"' in text or _of_lines(name, text)
    }


def _of_lines(name: str, text: str) -> bool:
    return f"#/components/schemas/{name}." in text


@pytest.mark.timeout(FUZZING_TIMEOUT_S + 60)
async def test_schemathesis_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good and bad requests of every kind are answered as described; all checks are on."""
    for module in ("submissions", "patients"):
        monkeypatch.setattr(f"ocw_sidecar.api.{module}.MAX_WAIT_S", 0.05)
    settings = Settings.load(
        home=tmp_path / "home", organisation=ORGANISATION, min_free_disk=0, api={"failure_rate": 1_000_000}
    )
    async with whole_api(settings) as (parts, app):
        server = TestServer(app)
        await server.start_server(**SERVER_OPTIONS)
        try:
            token = await token_for(parts)
            status, output = await _fuzz(str(server.make_url(PATH)), token["Authorization"], tmp_path)
        finally:
            await server.close()
    assert 0 == status, output


async def _fuzz(url: str, authorization: str, folder: Path) -> tuple[int | None, str]:
    arguments = ["run", url, "--no-color", "--checks", "all", "--request-timeout", "20"]
    arguments += ["--max-examples", str(EXAMPLES), "--seed", "7", "--generation-database", "none"]
    # The feed never ends, so a client that waits for its end learns nothing.
    arguments += ["--exclude-path", "/v1/feed", "--header", f"Authorization: {authorization}"]
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *arguments,
        cwd=folder,
        env=os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(FUZZING_TIMEOUT_S):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


def test_the_page_lists_every_setting() -> None:
    """docs/reference/api.md has each setting of `[api]` with its default."""
    page = DOCUMENT.with_name("api.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page.partition("## Settings")[2], re.MULTILINE))
    expected = {name: field.default for name, field in ApiSettings.model_fields.items()}
    assert expected.keys() == rows.keys()
    assert {name: _shown(value) for name, value in expected.items()} == rows


def _shown(value: object) -> str:
    if isinstance(value, ByteSize):
        return f"{value // 2**20} MiB"
    return f"{value:,}" if isinstance(value, int) else str(value)


def test_the_page_lists_every_scope() -> None:
    """And each scope, in the order of the code."""
    page = DOCUMENT.with_name("api.md").read_text(encoding="utf-8")
    table = page.partition("| scope | allows |")[2].partition("\n\n")[0]
    assert [str(scope) for scope in Scope] == re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)
