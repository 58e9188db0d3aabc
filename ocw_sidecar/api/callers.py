"""Who makes a request: `request[CALLER]` is set before any handler below `/v1/` runs."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from ocw_sidecar.callers.items import ALL_SCOPES, Caller, Scope

__all__ = ["ALL_SCOPES", "CALLER", "Caller", "Scope"]

CALLER: Final = web.RequestKey("caller", Caller)
