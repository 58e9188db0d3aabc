"""The DeOSS adapter against gateways that misbehave, and against stock DeOSS's peculiar answers."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sr25519
from aiohttp import web
from aiohttp.test_utils import TestServer

from caregrid.errors import (
    CaregridError,
    ConfigInvalid,
    DigestMismatch,
    FileIdMismatch,
    FragmentsMissing,
    InputInvalid,
    InputTooLarge,
    ObjectUnknown,
    ProtocolViolation,
    RateLimited,
    StorageUnreachable,
    TerritoryUnusable,
    Unauthorised,
)
from caregrid.storage import DeossStore, Territory, TerritoryState, TransferPolicy, file_id_of
from caregrid.storage.deoss import deadlines
from caregrid.storage.deoss.envelope import RouteMissing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAIR = sr25519.pair_from_seed(b"\x07" * 32)
NOW = 1_800_000_000.5
FID = b"\x0f" * 32
#: These tests look at single answers; test_resuming.py is about trying again.
ONE_ATTEMPT = TransferPolicy(attempts=1)


def _store(url: str) -> DeossStore:
    return DeossStore(
        url, PAIR[0], lambda message: sr25519.sign(PAIR, message), now=lambda: NOW, policy=ONE_ATTEMPT
    )


@asynccontextmanager
async def _gateway(handler: Handler) -> AsyncIterator[DeossStore]:
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server:
        store = _store(str(server.make_url("/")))
        try:
            yield store
        finally:
            await store.close()


def _envelope(code: int, msg: str, data: Any = None, *, status: int | None = None) -> web.Response:
    return web.json_response({"code": code, "msg": msg, "data": data}, status=status or code)


def _describing(size: int, answer: Handler) -> Handler:
    """Tell the size of every object, and answer all else so."""

    async def describe(request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/file/metadata/"):
            return _envelope(200, "ok", {"size": size})
        return await answer(request)

    return describe


def _always(make: Callable[[], web.Response]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return make()

    return answer


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "source"
    path.write_bytes(content)
    return path


def _contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_an_upload_is_signed_and_says_nothing(tmp_path: Path) -> None:
    """An upload carries a fresh signed expiry, territory and length, and a name without meaning."""
    seen: list[web.Request] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(request)
        return _envelope(200, "ok", {"fid": file_id_of(await request.read()).hex()})

    content = os.urandom(3_000_000)
    async with _gateway(take) as store:
        assert await store.put(_file(tmp_path, content)) == file_id_of(content)
    (request,) = seen
    assert (request.method, request.content_length) == ("PUT", len(content))
    assert request.headers["Territory"] == "caregrid"
    assert request.headers["Message"] == "1800000060"
    signature = bytes.fromhex(request.headers["Signature"].removeprefix("0x"))
    assert sr25519.verify(signature, b"1800000060", PAIR[0])
    name = request.path.removeprefix("/object/")
    assert len(bytes.fromhex(name)) == 16
    assert "source" not in name


async def test_another_file_id_is_refused(tmp_path: Path) -> None:
    """A gateway that stored something else than what we sent is found out."""
    async with _gateway(_always(lambda: _envelope(200, "ok", {"fid": "00" * 32}))) as store:
        with pytest.raises(FileIdMismatch):
            await store.put(_file(tmp_path, b"content"))


@pytest.mark.parametrize("data", [None, {}, {"fid": 5}, {"fid": "xyz"}, [], "fid"])
async def test_an_upload_without_file_id_is_refused(tmp_path: Path, data: object) -> None:
    """Success without a usable file id breaks the protocol."""
    async with _gateway(_always(lambda: _envelope(200, "ok", data))) as store:
        with pytest.raises(ProtocolViolation):
            await store.put(_file(tmp_path, b"content"))


ANSWERS = [
    (400, "the name must be 3 to 63 bytes long", InputInvalid),
    (400, "please purchase territory first", TerritoryUnusable),
    (400, "territory will expire soon", TerritoryUnusable),
    (400, "insufficient territory space", TerritoryUnusable),
    (400, "remaining space in the territory is less than 100663296", TerritoryUnusable),
    (400, "Failed to receive data", StorageUnreachable),
    (403, "no permission", Unauthorised),
    (403, "server busy", RateLimited),
    (403, "Failed to connect to rpc, please try again later.", StorageUnreachable),
    (404, "Not found", ObjectUnknown),
    (400, "file not found", ObjectUnknown),
    (409, "another size", InputInvalid),
    (416, "invalid range end", InputInvalid),
    (500, "system error", StorageUnreachable),
    (502, "fragments", FragmentsMissing),
    (503, "nodes", StorageUnreachable),
    (507, "disk", StorageUnreachable),
    (418, "teapot", ProtocolViolation),
]


@pytest.mark.parametrize("http_status", [None, 200], ids=["real status", "status 200"])
@pytest.mark.parametrize(("code", "text", "expected"), ANSWERS)
async def test_error_envelopes(
    tmp_path: Path, code: int, text: str, expected: type[CaregridError], http_status: int | None
) -> None:
    """An error envelope is the same typed error on every route, even inside HTTP 200 as stock sends it."""
    async with _gateway(_always(lambda: _envelope(code, text, status=http_status))) as store:
        with pytest.raises(expected) as put_error:
            await store.put(_file(tmp_path, b"content"))
        with pytest.raises(expected) as range_error:
            await store.read_range(FID, 0, 5)
        with pytest.raises(expected) as download_error:
            await store.download(FID, tmp_path / "target")
    assert {expected} == {type(error.value) for error in (put_error, range_error, download_error)}
    assert not (tmp_path / "target").exists()


async def test_the_limit_of_a_gateway_is_told(tmp_path: Path) -> None:
    """A refused size names the gateway's limit."""
    async with _gateway(_always(lambda: _envelope(413, "too large", {"limit": 10}))) as store:
        with pytest.raises(InputTooLarge) as caught:
            await store.put(_file(tmp_path, b"content"))
    assert caught.value.limit == 10


async def test_unchained_file_is_not_there_yet() -> None:
    """Stock DeOSS answers the metadata of an unknown file with 403 and a sentence; that is None here."""
    text = (
        "The file has not been uploaded to the chain yet, "
        "please go to the gateway where the file was uploaded to query."
    )
    async with _gateway(_always(lambda: _envelope(403, text, status=200))) as store:
        assert await store.stat(FID) is None


@pytest.mark.parametrize("size", [None, "5", 0, -1, 1 << 60, True])
async def test_senseless_sizes_are_refused(size: object) -> None:
    """A size that no object can have breaks the protocol."""
    async with _gateway(_always(lambda: _envelope(200, "ok", {"size": size}))) as store:
        with pytest.raises(ProtocolViolation):
            await store.stat(FID)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_refused(tmp_path: Path, status: int) -> None:
    """Signed requests and content go to the configured gateway only."""
    elsewhere = {"Location": "http://127.0.0.1:9/"}
    async with _gateway(_always(lambda: web.Response(status=status, headers=elsewhere))) as store:
        with pytest.raises(ProtocolViolation, match="redirects"):
            await store.put(_file(tmp_path, b"content"))
        with pytest.raises(ProtocolViolation, match="redirects"):
            await store.read_range(FID, 0, 5)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, b"404 page not found", RouteMissing),
        (403, b"<html>forbidden</html>", Unauthorised),
        (200, b"<html>welcome</html>", ProtocolViolation),
        (500, b"", StorageUnreachable),
        (502, b"<html>bad gateway</html>", StorageUnreachable),
        (200, b'{"code": "x", "msg": 1}', ProtocolViolation),
        (200, b"[" * 100_000, ProtocolViolation),
    ],
)
async def test_what_is_no_deoss_gateway(status: int, body: bytes, expected: type[CaregridError]) -> None:
    """Answers without an envelope are told apart: a proxy's failure may pass, a foreign server will not."""
    async with _gateway(_always(lambda: web.Response(status=status, body=body))) as store:
        with pytest.raises(expected):
            await store.stat(FID)


async def test_endless_answers_are_cut(tmp_path: Path) -> None:
    """No more than a bounded part of an answer is read where JSON is due."""
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            sent += 65_536
            await response.write(b" " * 65_536)

    async with _gateway(endless) as store:
        with pytest.raises(ProtocolViolation, match="length"):
            await store.stat(FID)
        with pytest.raises(ProtocolViolation, match="length"):
            await store.download(FID, tmp_path / "target")
    assert sent < 32 * 1024 * 1024


@pytest.mark.parametrize("content_range", ["bytes 0-4/9", "bytes 5-8/9", "items 5-9/20", None])
async def test_another_range_is_refused(content_range: str | None) -> None:
    """Five bytes from another place of the object are never taken for those asked for."""
    headers = {"Content-Type": "text/plain", **({"Content-Range": content_range} if content_range else {})}
    async with _gateway(_always(lambda: web.Response(status=206, body=b"12345", headers=headers))) as store:
        with pytest.raises(ProtocolViolation, match="range"):
            await store.read_range(FID, 5, 5)


async def test_more_than_asked_for_is_refused() -> None:
    """A range answer may not run on past its end."""
    headers = {"Content-Type": "text/plain", "Content-Range": "bytes 5-9/20"}
    async with _gateway(_always(lambda: web.Response(status=206, body=b"123456", headers=headers))) as store:
        with pytest.raises(ProtocolViolation, match="more bytes"):
            await store.read_range(FID, 5, 5)


async def test_less_than_asked_for_is_refused() -> None:
    """A range answer that ends early is an error, even if the connection says it is complete."""
    headers = {"Content-Type": "text/plain", "Content-Range": "bytes 5-9/20"}
    async with _gateway(_always(lambda: web.Response(status=206, body=b"1234", headers=headers))) as store:
        with pytest.raises(StorageUnreachable, match="broke off"):
            await store.read_range(FID, 5, 5)


async def test_the_reason_of_a_broken_download_is_asked_for(tmp_path: Path) -> None:
    """When content breaks off, the error is the one that the gateway gives for the bytes that are missing."""
    asked: list[str | None] = []

    async def break_off(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers.get("Content-Range"))
        if request.path.startswith("/file/open/"):
            return _envelope(502, "fewer than four")
        response = web.StreamResponse()
        response.content_length = 100
        await response.prepare(request)
        await response.write(b"x" * 40)
        assert request.transport is not None
        request.transport.close()
        return response

    async with _gateway(_describing(100, break_off)) as store:
        with pytest.raises(FragmentsMissing):
            await store.download(FID, tmp_path / "target")
    assert asked == [None, "bytes=40-40"]
    assert _contents_of(tmp_path) == {}


async def test_other_content_is_never_published(tmp_path: Path) -> None:
    """A download whose bytes have another file id leaves the old file as it was."""
    target = tmp_path / "target"
    target.write_bytes(b"old")
    async with _gateway(_describing(6, _always(lambda: web.Response(body=b"forged")))) as store:
        with pytest.raises(FileIdMismatch):
            await store.download(file_id_of(b"genuine"), target)
    assert _contents_of(tmp_path) == {"target": b"old"}


async def test_an_empty_download_may_be_tried_again(tmp_path: Path) -> None:
    """Stock DeOSS sends an empty file while it fetches from its miners; that passes."""
    async with _gateway(_describing(6, _always(lambda: web.Response(body=b"")))) as store:
        with pytest.raises(StorageUnreachable, match="try again"):
            await store.download(FID, tmp_path / "target")


async def test_nobody_listens(tmp_path: Path) -> None:
    """A gateway that is down is a recoverable error on every route."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    store = _store(url)
    with pytest.raises(StorageUnreachable):
        await store.put(_file(tmp_path, b"content"))
    with pytest.raises(StorageUnreachable):
        await store.stat(FID)
    await store.close()


async def test_a_hanging_gateway_meets_its_deadline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A gateway that accepts and then says nothing is given up at the named deadlines."""
    for name in ("UPLOAD_TIMEOUT_S", "METADATA_TIMEOUT_S", "STALL_TIMEOUT_S"):
        monkeypatch.setattr(deadlines, name, 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = _store(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(StorageUnreachable, match="deadline"):
            await store.put(_file(tmp_path, b"content"))
        with pytest.raises(StorageUnreachable, match="deadline"):
            await store.download(FID, tmp_path / "target")
        await store.close()


async def test_a_file_that_shrinks_is_told(tmp_path: Path) -> None:
    """A source cut short on the way is the source's fault, not the gateway's."""
    source = _file(tmp_path, bytes(8 * 1024 * 1024))

    async def shrink(request: web.Request) -> web.Response:
        os.truncate(source, 1024)
        await request.read()
        return _envelope(200, "ok", {})

    async with _gateway(shrink) as store:
        with pytest.raises(InputInvalid, match="read to its end"):
            await store.put(source)


@pytest.mark.parametrize(
    "url", ["", "gateway:8080", "ftp://gateway", "http://", "http://user:pw@gateway", "http://[::1"]
)
def test_unusable_urls_are_refused(url: str) -> None:
    """A URL that cannot be a gateway's is told at once, without showing credentials."""
    with pytest.raises(ConfigInvalid) as caught:
        _store(url)
    assert "pw" not in str(caught.value)


async def test_errors_show_printable_text_only() -> None:
    """What a gateway says is shown without control characters and cut to a bounded length."""
    async with _gateway(_always(lambda: _envelope(400, "bad\x1b[31m\n" + "x" * 5000))) as store:
        with pytest.raises(InputInvalid) as caught:
            await store.stat(FID)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert json.dumps(caught.value.facts()) == "{}"


async def test_a_page_is_no_object(tmp_path: Path) -> None:
    """HTML where content is due, a portal's perhaps, is never taken for it."""

    def page() -> web.Response:
        return web.Response(text="<html>please log in</html>", content_type="text/html")

    async with _gateway(_describing(26, _always(page))) as store:
        with pytest.raises(ProtocolViolation):
            await store.download(FID, tmp_path / "target")
        with pytest.raises(ProtocolViolation):
            await store.read_range(FID, 0, 26)
    assert _contents_of(tmp_path) == {}


async def test_ten_gigabytes_for_a_small_object(tmp_path: Path) -> None:
    """An answer that announces more than the object has is refused before a byte of it is kept."""
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        response.content_length = 10 * 1024**3
        await response.prepare(request)
        while True:
            sent += 65_536
            await response.write(bytes(65_536))

    async with _gateway(_describing(1000, flood)) as store:
        with pytest.raises(ProtocolViolation, match="number of bytes"):
            await store.download(FID, tmp_path / "target")
    assert _contents_of(tmp_path) == {}
    assert sent < 32 * 1024 * 1024


async def test_a_redirect_of_a_chunk_is_no_go_on(tmp_path: Path) -> None:
    """DeOSS says with 308 that a chunk is taken; with a place to go to, it is a redirect and refused."""
    visited: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        visited.append(request.path)
        if request.method == "HEAD":
            return web.Response(headers={"Upload-Offset": "0"})
        return web.Response(status=308, headers={"Location": "/private"})

    async with _gateway(redirect) as store:
        with pytest.raises(ProtocolViolation, match="redirects"):
            await store.put(_file(tmp_path, bytes(9 * 1024 * 1024)))
    assert "/private" not in visited


async def test_how_long_to_wait_is_told() -> None:
    """The gateway's Retry-After, bounded, is in the error."""
    for told, expected in [("7", 7), ("99999999", 3600), ("soon", 1), ("0", 1)]:
        answer = web.json_response
        headers = {"Retry-After": told}
        body = {"code": 403, "msg": "server busy", "data": None}
        async with _gateway(_always(lambda: answer(body, status=429, headers=headers))) as store:  # noqa: B023
            with pytest.raises(RateLimited) as caught:
                await store.stat(FID)
        assert caught.value.retry_after_s == expected


async def test_a_fragment_is_checked() -> None:
    """A fragment comes back by its digest; another one is refused."""
    fragment = bytes(8 * 1024 * 1024)
    async with _gateway(_always(lambda: web.Response(body=fragment))) as store:
        assert fragment == await store.fragment(FID, hashlib.sha256(fragment).digest())
        with pytest.raises(DigestMismatch):
            await store.fragment(FID, hashlib.sha256(b"another").digest())


@pytest.mark.parametrize(
    "placement",
    [
        {"segments": []},
        {"segments": 5},
        {"segments": [{"digest": "00" * 32, "fragments": []}]},
        {"segments": [{"digest": "00", "fragments": []}]},
        [],
    ],
)
async def test_senseless_fragments_are_refused(placement: object) -> None:
    """Fragments that no object can have break the protocol."""
    async with _gateway(_always(lambda: _envelope(200, "ok", {"placement": placement}))) as store:
        with pytest.raises(ProtocolViolation, match="fragments"):
            await store.fragments(FID)


TERRITORY = {
    "name": "caregrid",
    "total": 10,
    "used": 4,
    "remaining": 6,
    "state": "active",
    "deadline": 1_800_000_000,
}


async def test_a_territory_is_told() -> None:
    """Space, state and deadline come as they are."""
    async with _gateway(_always(lambda: _envelope(200, "ok", TERRITORY))) as store:
        found = await store.territory()
    assert found == Territory(
        name="caregrid",
        total=10,
        used=4,
        remaining=6,
        state=TerritoryState.ACTIVE,
        deadline=datetime.fromtimestamp(1_800_000_000, UTC),
    )


@pytest.mark.parametrize(
    "change", [{"total": -1}, {"state": "sold"}, {"deadline": 1 << 62}, {"name": ""}, {"used": 0.5}]
)
async def test_senseless_territories_are_refused(change: dict[str, object]) -> None:
    """A territory that cannot be breaks the protocol."""
    async with _gateway(_always(lambda: _envelope(200, "ok", TERRITORY | change))) as store:
        with pytest.raises(ProtocolViolation, match="territory"):
            await store.territory()


NODE = {"node": "node-01", "living": True, "bytes_free": 5, "fragments": None}


async def test_nodes_are_told() -> None:
    """What a node does not tell is None; the order is that of the names."""
    async with _gateway(_always(lambda: _envelope(200, "ok", [NODE, {**NODE, "node": "a"}]))) as store:
        found = await store.nodes()
    assert found is not None
    assert [each.node for each in found] == ["a", "node-01"]
    assert (found[1].living, found[1].bytes_free, found[1].fragments) == (True, 5, None)


@pytest.mark.parametrize(
    "nodes", [{}, [5], [{"node": "x"}], [{**NODE, "bytes_free": -1}], [{**NODE, "node": "\n"}]]
)
async def test_senseless_nodes_are_refused(nodes: object) -> None:
    """Nodes that cannot be break the protocol."""
    async with _gateway(_always(lambda: _envelope(200, "ok", nodes))) as store:
        with pytest.raises(ProtocolViolation, match="nodes"):
            await store.nodes()


async def test_a_long_list_comes_in_pages() -> None:
    """Pages are asked for one after the other, from behind the last id on."""
    ids = [index.to_bytes(32) for index in range(2500)]
    asked: list[str | None] = []

    async def page(request: web.Request) -> web.Response:
        asked.append(after := request.query.get("after"))
        left = [each.hex() for each in ids if after is None or each.hex() > after]
        return _envelope(200, "ok", [{"fid": each, "size": 7, "bytes": 5} for each in left[:1000]])

    async with _gateway(page) as store:
        found = [entry.object_id async for entry in store.list()]
    assert ids == found
    assert asked == [None, ids[999].hex(), ids[1999].hex()]


@pytest.mark.parametrize("count", [999, 1000, 1001, 3000])
async def test_a_gateway_that_sends_the_whole_list(count: int) -> None:
    """Stock DeOSS sends everything at every request, in no order: each entry still comes once, in order."""
    ids = [index.to_bytes(32) for index in range(count)]
    whole = [{"fid": each.hex(), "size": 7} for each in reversed(ids)]
    async with _gateway(_always(lambda: _envelope(200, "ok", whole))) as store:
        assert ids == [entry.object_id async for entry in store.list()]
        assert ids[500:] == [entry.object_id async for entry in store.list(ids[499])]


@pytest.mark.parametrize("data", [{}, "x", [5], [{"fid": "00", "size": 1}], [{"fid": "00" * 32, "size": -1}]])
async def test_senseless_lists_are_refused(data: object) -> None:
    """A list that cannot be breaks the protocol."""
    async with _gateway(_always(lambda: _envelope(200, "ok", data))) as store:
        with pytest.raises(ProtocolViolation, match="list"):
            await anext(store.list())
