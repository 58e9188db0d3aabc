"""How stock DeOSS 0.4 words its answers: HTTP 200 around almost everything."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

NOT_ON_CHAIN = (
    "The file has not been uploaded to the chain yet, "
    "please go to the gateway where the file was uploaded to query."
)


class Refusal(Exception):
    """A request ends with this envelope."""

    def __init__(self, code: int, msg: str) -> None:
        super().__init__(msg)
        self.code, self.msg = code, msg


def document(code: int, msg: str, data: Any = None) -> str:
    """Return an envelope as text, its keys in stock's order."""
    return json.dumps({"code": code, "msg": msg, "data": data}, separators=(",", ":"))


def answer(text: str, status: int = 200) -> web.Response:
    """Return an answer of JSON; its status says nothing about its success."""
    return web.Response(text=text, status=status, content_type="application/json")


def success(data: Any) -> web.Response:
    """Return a successful envelope."""
    return answer(document(200, "ok", data))


def content(body: bytes, status: int = 200, **headers: str) -> web.Response:
    """Return content as stock sends it."""
    return web.Response(
        body=body, status=status, headers={"Content-Type": "application/octet-stream", **headers}
    )


def no_route() -> web.Response:
    """Return what stock's router says of a path or method it does not know."""
    return web.Response(text="404 page not found", status=404)


@web.middleware
async def refusals_as_envelopes(request: web.Request, handler: Any) -> web.StreamResponse:
    """Answer refusals with status 200, and unknown routes as stock's router does."""
    try:
        return await handler(request)  # type: ignore[no-any-return]
    except Refusal as exc:
        return answer(document(exc.code, exc.msg))
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return no_route()
