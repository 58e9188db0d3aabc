"""DeOSS's routes.

Where this gateway departs from the stock one:

* an error's code is the HTTP status, too (stock answers 200 to everything); too many requests are 429 with
  `Retry-After`, around the stock envelope of code 403;
* a standard `Range` header works on `/file/open`, besides DeOSS's `Content-Range` request header;
* content is always `application/octet-stream`, since all content is sealed;
* an upload is answered only when all its fragments are on their nodes' disks;
* `HEAD /resume/{name}` tells how much of an upload is held, and a chunk that comes again is not appended;
* owners in `/file/metadata` carry their territory, and with a header `Placement` it tells how many fragments
  of the worst segment live, and on how many nodes: `counts`; `fragments` lists every fragment besides, and
  `checked` has the nodes read them; 409 answers content that another size shares its id with;
* entries of `/file/list` have the true size besides, and come in pages;
* `POST /file/repair/{fid}`, signed by an owner, rebuilds fragments that are lost or damaged; on CESS that is
  the miners' own affair;
* `PUT` and `GET /fragment/tags` and `POST /fragment/proof` are new: see `routes/proving.py`;
* `GET /nodes`, `GET /territory/{name}`, `GET /metrics` and `GET /livez` are new; a territory is `unlimited`
  where none is required;
* `Cipher` is refused: content is sealed before it comes here.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from aiohttp import web

from storage_network import process
from storage_network.gateway.envelope import errors_as_envelopes
from storage_network.gateway.parts import Gateway
from storage_network.gateway.routes.describing import Describing
from storage_network.gateway.routes.operating import Operating
from storage_network.gateway.routes.owning import Owning
from storage_network.gateway.routes.proving import Proving
from storage_network.gateway.routes.reading import Reading
from storage_network.gateway.routes.resuming import Resuming
from storage_network.gateway.routes.uploads import Uploads

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from storage_network.gateway.settings import GatewaySettings

#: What must answer however busy the gateway is.
_UNLIMITED: Final = frozenset({"/livez", "/metrics"})


def make_app(settings: GatewaySettings) -> web.Application:
    """Return the application that serves one gateway; its folder is touched when it starts."""
    gateway = Gateway(settings)
    app = web.Application(middlewares=[_counted(gateway), errors_as_envelopes, _limited(gateway)])
    app.cleanup_ctx.append(gateway.lifetime)
    app[process.JOBS] = (gateway.collect, gateway.audit, gateway.sweep, gateway.move)
    app.add_routes([*_writing(gateway), *_asking(gateway)])
    return app


def _writing(gateway: Gateway) -> list[web.RouteDef]:
    uploads, resuming, owning = Uploads(gateway), Resuming(gateway), Owning(gateway)
    proving = Proving(gateway)
    return [
        web.put("/fragment/tags", proving.put_tags),
        web.post("/fragment/proof", proving.prove),
        web.put("/object/{name}", uploads.put_object),
        web.put("/file", uploads.put_file),
        web.put("/resume/{name}", resuming.put),
        web.head("/resume/{name}", resuming.head),
        web.delete("/file/{fid}", owning.delete),
        web.post("/file/repair/{fid}", owning.repair),
    ]


def _asking(gateway: Gateway) -> list[web.RouteDef]:
    reading, describing, operating = Reading(gateway), Describing(gateway), Operating(gateway)
    answers = {
        "/version": operating.version,
        "/livez": operating.livez,
        "/metrics": operating.metrics,
        "/file/download/{fid}": reading.download,
        "/file/open/{fid}": reading.open,
        "/fragment/download": reading.fragment,
        "/fragment/tags": Proving(gateway).tags,
        "/file/metadata/{fid}": describing.metadata,
        "/file/location/{fid}": describing.location,
        "/file/list": describing.list_files,
        "/nodes": describing.nodes,
        "/territory/{name}": Owning(gateway).territory,
    }
    return [web.get(path, handler, allow_head=False) for path, handler in answers.items()]


def _limited(gateway: Gateway) -> Middleware:
    @web.middleware
    async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in _UNLIMITED:
            await gateway.limits.address(request.remote)
        return await handler(request)

    return limit


def _counted(gateway: Gateway) -> Middleware:
    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.monotonic()
        response = await handler(request)
        resource = request.match_info.route.resource
        route = "none" if resource is None else f"{request.method} {resource.canonical}"
        gateway.metrics.answered(route, response.status, time.monotonic() - started)
        return response

    return count
