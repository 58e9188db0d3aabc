"""What a gateway refuses so that one client leaves room for the others, and how its operator sees it."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sr25519
from aiohttp.test_utils import TestClient, TestServer
from scalecodec.utils.ss58 import ss58_encode

from caregrid.errors import ConfigInvalid, TerritoryUnusable
from caregrid.storage import TerritoryState
from caregrid.storage.deoss import DeossStore
from storage_network import territories as program
from storage_network.gateway import GatewaySettings, make_app
from storage_network.gateway.records import Owner
from storage_network.gateway.territories import FILE_NAME, Territories, Territory, read, write
from storage_network.gateway.uploads import UploadLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import web

    Client = TestClient[web.Request, web.Application]

PAIR = sr25519.pair_from_seed(b"\x01" * 32)
ADDRESS = ss58_encode(PAIR[0], 42)
TIB = 1 << 40


@asynccontextmanager
async def gateway(root: Path, **settings: Any) -> AsyncIterator[Client]:
    """A gateway that knows no node."""
    made = GatewaySettings(root=root, nodes=(), token="t" * 64, **settings)
    async with TestClient(TestServer(make_app(made))) as client:
        yield client


def identity(territory: str = "ward") -> dict[str, str]:
    """Return the headers of a signed request."""
    message = str(int(time.time()) + 60)
    signature = sr25519.sign(PAIR, message.encode()).hex()
    return {"Account": ADDRESS, "Message": message, "Signature": signature, "Territory": territory}


async def put(client: Client, headers: dict[str, str]) -> tuple[int, str]:
    """Try to store something small; return status and message."""
    async with client.put("/object/name", data=b"x", headers=headers) as response:
        return response.status, (await response.json())["msg"]


async def test_an_account_has_its_rate(tmp_path: Path) -> None:
    """Past it requests are 429 around DeOSS's own envelope, with the seconds to wait; health answers."""
    async with gateway(tmp_path, account_rate=2) as client:
        for _ in range(2):
            assert 200 == (await client.get("/nodes", headers=identity())).status
        async with client.get("/nodes", headers=identity()) as response:
            envelope = await response.json()
        assert (429, 403, "server busy") == (response.status, envelope["code"], envelope["msg"])
        assert 1 <= int(response.headers["Retry-After"]) <= 60
        assert 200 == (await client.get("/livez")).status


async def test_an_address_has_its_rate(tmp_path: Path) -> None:
    """Requests that nobody signed count, too; those of the operator do not."""
    async with gateway(tmp_path, address_rate=2) as client:
        found = [(await client.get("/version")).status for _ in range(3)]
        assert [200, 200, 429] == found
        assert 200 == (await client.get("/metrics")).status


async def test_unfinished_uploads_have_bounds(tmp_path: Path) -> None:
    """One upload more than an account may have in parts is refused, and so are too many bytes."""
    limits = UploadLimits(per_account=1, bytes_per_account=1000, bytes_in_all=2000, age_s=60)
    async with gateway(tmp_path, uploads=limits) as client:
        headers = {**identity(), "Content-Range": "bytes 0-0/1001"}
        async with client.put("/resume/large", data=b"x", headers=headers) as response:
            assert 429 == response.status
        headers["Content-Range"] = "bytes 0-0/1000"
        async with client.put("/resume/first", data=b"x", headers=headers, allow_redirects=False) as response:
            assert 308 == response.status
        async with client.put("/resume/second", data=b"x", headers=headers) as response:
            assert 429 == response.status


async def test_metrics_name_no_one(tmp_path: Path) -> None:
    """Routes, nodes and amounts are counted; accounts, names and objects are not told."""
    async with gateway(tmp_path) as client:
        await put(client, identity("canary-territory"))
        await client.get(f"/file/metadata/{'ab' * 32}")
        async with client.get("/metrics") as response:
            text = await response.text()
    assert 'route="PUT /object/{name}"' in text
    for canary in (ADDRESS, PAIR[0].hex(), "canary-territory", "ab" * 32):
        assert canary not in text


async def test_uploads_need_space_where_it_is_asked_for(tmp_path: Path) -> None:
    """A missing territory and one whose time is over have DeOSS's words; one with room leads on."""
    over = datetime.now(UTC) - timedelta(seconds=1)
    write(
        tmp_path / FILE_NAME,
        [
            Territory(account=PAIR[0], name="ward", total=TIB, deadline=None),
            Territory(account=PAIR[0], name="past", total=TIB, deadline=over),
        ],
    )
    async with gateway(tmp_path, require_territories=True) as client:
        assert (400, "please purchase territory first") == await put(client, identity("other"))
        assert (400, "territory will expire soon") == await put(client, identity("past"))
        assert 503 == (await put(client, identity("ward")))[0]
        async with client.get("/territory/past", headers=identity()) as response:
            data = (await response.json())["data"]
        async with client.get("/territory/other", headers=identity()) as response:
            assert (400, "please purchase territory first") == (
                response.status,
                (await response.json())["msg"],
            )
    assert ("frozen", TIB, int(over.timestamp())) == (data["state"], data["remaining"], data["deadline"])
    assert data["unlimited"] is False


@pytest.mark.parametrize("name", ["given", "other"])
async def test_where_none_is_required_that_is_told(tmp_path: Path, name: str) -> None:
    """Also of one that was given: its limits do not count. The numbers leave room for stock clients."""
    write(tmp_path / FILE_NAME, [Territory(account=PAIR[0], name="given", total=1, deadline=None)])
    async with gateway(tmp_path) as client:
        store = DeossStore(
            str(client.make_url("/")), PAIR[0], lambda message: sr25519.sign(PAIR, message), name
        )
        try:
            told = await store.territory()
        finally:
            await store.close()
        async with client.get(f"/territory/{'x' * 64}", headers=identity()) as response:
            assert 400 == response.status
    assert told is not None
    assert (name, True, TerritoryState.ACTIVE) == (told.name, told.unlimited, told.state)
    assert told.total == told.remaining > 1 << 50
    assert () == replace(told, remaining=0).warnings(datetime.now(UTC))


def test_territories_are_given_by_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Space is given, changed, listed and taken back; a running gateway sees it at once."""
    here = Territories(tmp_path / FILE_NAME, required=True)
    owner = Owner(account=PAIR[0], name="scan", territory="ward")
    with pytest.raises(TerritoryUnusable):
        here.allowed(owner)
    root, who = f"--root={tmp_path}", ["--account", ADDRESS, "--name", "ward"]
    for total in (TIB, 2 * TIB):
        assert 0 == program.main([root, "set", *who, "--total-bytes", str(total)])
        assert total == here.allowed(owner)
    assert 0 == program.main([root, "list"])
    assert '"name": "ward"' in capsys.readouterr().out
    assert 0 == program.main([root, "remove", *who])
    assert [] == read(tmp_path / FILE_NAME)
    assert ConfigInvalid.exit_code == program.main([root, "remove", *who])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--account", "nobody", "--name", "ward", "--total-bytes", "1"],
        ["--account", ADDRESS, "--name", "", "--total-bytes", "1"],
        ["--account", ADDRESS, "--name", "ward", "--total-bytes", "1", "--deadline", "tomorrow"],
        ["--account", ADDRESS, "--name", "ward", "--total-bytes", "1", "--deadline", "2030-01-01T00:00:00"],
    ],
)
def test_bad_territories_are_told(tmp_path: Path, arguments: list[str]) -> None:
    """Nothing is written of what makes no sense."""
    assert ConfigInvalid.exit_code == program.main([f"--root={tmp_path}", "set", *arguments])
    assert not (tmp_path / FILE_NAME).exists()


def test_a_broken_file_gives_nobody_space(tmp_path: Path) -> None:
    """A file that is no list of territories is an error, not an empty list."""
    (tmp_path / FILE_NAME).write_text('{"name": 1}')
    with pytest.raises(ConfigInvalid):
        read(tmp_path / FILE_NAME)
