"""Routes and authentication."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from ocw_sidecar.api.answers import errors_as_json
from ocw_sidecar.api.health import Health
from ocw_sidecar.api.records import Failures, Records
from ocw_sidecar.api.requests import CALLER, MAX_JSON_BYTES
from ocw_sidecar.api.submissions import Submissions

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from ocw_sidecar.api.tokens import Tokens
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.intake import Intake

#: Everything below needs a token.
PROTECTED: Final = "/v1/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Api:
    """What the API works with."""

    bench: Bench
    intake: Intake
    tokens: Tokens


def build_app(api: Api) -> web.Application:
    """Return the application; content is streamed, so `client_max_size` bounds the small bodies only."""
    app = web.Application(
        middlewares=[errors_as_json, _authentication(api.tokens)], client_max_size=MAX_JSON_BYTES
    )
    submissions, records = Submissions(api.bench, api.intake), Records(api.bench)
    failures, health = Failures(api.bench), Health(api.bench, api.intake)
    app.add_routes(
        [
            web.post("/v1/submissions", submissions.post),
            web.get("/v1/submissions/{id}", submissions.get),
            web.post("/v1/records/{id}/key", records.release_key),
            web.post("/v1/failures/replay", failures.replay),
            web.get("/livez", health.livez),
            web.get("/readyz", health.readyz),
            web.get("/metrics", health.metrics),
        ]
    )
    return app


def _authentication(tokens: Tokens) -> Middleware:
    @web.middleware
    async def require_token(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(PROTECTED):
            request[CALLER] = tokens.caller(request.headers.get("Authorization"))
        return await handler(request)

    return require_token
