"""The thread behind a connection: it connects, fails over, and works one piece after the other."""

from __future__ import annotations

import concurrent.futures
import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from caregrid.chain.endpoints import public_name
from caregrid.chain.exclusion import CODEC
from caregrid.chain.faults import AnswerGarbled, ForeignChain, NodeBehind
from caregrid.errors import ChainUnreachable, ConfigInvalid, ProtocolViolation, StateDiscarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from caregrid.chain.answers import AnswerCache
    from caregrid.chain.endpoints import Endpoints
    from caregrid.chain.genesis import Genesis

T = TypeVar("T")

#: TCP, TLS and WebSocket handshakes, each; a dead host must not keep the living ones waiting.
CONNECT_TIMEOUT_S: Final = 5.0
#: Whatever a client may gather over time, it is replaced after so many pieces of work.
RECYCLE_AFTER: Final = 50_000
#: A node that is a few blocks behind another is waited for: blocks take their time from node to node, and one
#: that was killed may have to get its last ones again.
CATCH_UP_TIMEOUT_S: Final = 6.0
#: One that is further behind is not.
CATCH_UP_BLOCKS: Final = 3
#: How long the next best endpoint serves before the preferred one is tried again.
RETURN_AFTER_S: Final = 60.0

_CATCH_UP_POLL_S: Final = 0.2
#: What a node says when it is asked for state that it no longer keeps.
_DISCARDED: Final = "State already discarded"


class Worker:
    """One thread and its client. Only `abandon`, `successor` and plain attributes are for other threads."""

    def __init__(
        self,
        endpoints: Endpoints,
        genesis: Genesis,
        *,
        cache: AnswerCache | None = None,
        breaks: int = 0,
        final: int = -1,
    ) -> None:
        self.thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="chain")
        self.current: object | None = None  #: the token of the work that is being done
        self.breaks = breaks  #: how often a connection broke
        self.client: Any = None
        self._endpoints = endpoints
        self._genesis = genesis
        self._cache = cache
        self._final = final
        self._url = ""
        self._socket: Any = None
        self._opening: Any = None
        self._done = 0
        self._began = self._connected_at = 0.0
        self._abandoned = False

    @property
    def busy_s(self) -> float:
        """Seconds since the work that is being done began; 0 when there is none."""
        return time.monotonic() - self._began if self.current is not None else 0.0

    def run(self, token: object, work: Callable[[Any], T], repeat: bool) -> T:  # noqa: FBT001 - positional for the executor
        """Do a piece of work; see :meth:`caregrid.chain.connection.Connection.run`."""
        self._began, self.current = time.monotonic(), token
        try:
            return self._attempts(work, 1 if not repeat else max(2, self._endpoints.count))
        finally:
            if self._abandoned:
                self.disconnect()
            else:
                self.current = None

    def disconnect(self) -> None:
        """Close the connection, if there is one; without the goodbyes, which a dead node never answers."""
        taken, self.client, self._socket, self._done = self._socket, None, None, 0
        if taken is not None:
            taken.shutdown()

    def abandon(self) -> None:
        """End the thread: at once when it waits for its node, else when it has done its work."""
        self._abandoned = True
        self.thread.shutdown(wait=False, cancel_futures=True)
        for taken in (self._opening, self._socket):
            if taken is not None and taken.sock is not None:
                with contextlib.suppress(OSError):
                    taken.sock.shutdown(socket.SHUT_RDWR)

    def successor(self) -> Worker:
        """Return a worker that goes on where this one got stuck, with another endpoint if there is one."""
        if self._url:
            self._endpoints.failed(self._url, time.monotonic())
        return Worker(
            self._endpoints, self._genesis, cache=self._cache, breaks=self.breaks + 1, final=self._final
        )

    def _attempts(self, work: Callable[[Any], T], attempts: int) -> T:
        while True:
            client = self._connected()
            attempts -= 1
            try:
                return self._do(client, work)
            except _failures() as exc:
                self._break()
                if attempts == 0 or self._abandoned:
                    raise _outward(exc) from exc

    def _do(self, client: Any, work: Callable[[Any], T]) -> T:
        try:
            with CODEC.taken():
                return work(client)
        except _misfits() as exc:
            raise ProtocolViolation("a node's answer does not fit the types of its runtime") from exc
        finally:
            self._done += 1
            self._final = max(self._final, client.final)

    def _break(self) -> None:
        self.breaks += 1
        self._endpoints.failed(self._url, time.monotonic())
        self.disconnect()

    def _connected(self) -> Any:
        now = time.monotonic()
        if self.client is not None and now - self._connected_at >= RETURN_AFTER_S:
            self._connected_at = now
            self._try(self._endpoints.better_than(self._url, now))
        if self._done >= RECYCLE_AFTER:
            self.disconnect()
        if self.client is None and not self._try(self._endpoints.in_order(now)):
            raise self._nobody()
        return self.client

    def _try(self, urls: list[str]) -> bool:
        """Connect to the first that answers, is of our chain and up to date; if none, leave all as it is."""
        for url in urls:
            try:
                client = self._connect(url)
            except ForeignChain:
                self._endpoints.foreign(url)
            except _failures():
                self._endpoints.failed(url, time.monotonic())
            else:
                self.disconnect()
                self._endpoints.served(url)
                self.client, self._socket, self._url = client, client.websocket, url
                self._connected_at = time.monotonic()
                return True
        return False

    def _connect(self, url: str) -> Any:
        import websocket  # noqa: PLC0415 - only with the adapter

        from caregrid.chain.client import RPC_TIMEOUT_S, Client  # noqa: PLC0415 - half a second to import

        try:
            # The JSON parser looks at every byte anyway; looking twice costs time in a full block.
            opened = websocket.create_connection(url, timeout=CONNECT_TIMEOUT_S, skip_utf8_validation=True)
        except websocket.WebSocketBadStatusException as exc:
            # Its text has the answer's headers and body, which may quote a token of the URL.
            raise ConnectionError(f"{public_name(url)} answered with status {exc.status_code}") from None
        self._opening = opened
        opened.settimeout(RPC_TIMEOUT_S)
        try:
            with CODEC.taken():
                return self._greet(Client(opened, self._cache))
        except BaseException:
            opened.shutdown()  # type: ignore[no-untyped-call] # of a library that types the rest
            raise
        finally:
            self._opening = None

    def _greet(self, client: Any) -> Any:
        client.genesis = client.get_block_hash(0)
        if not self._genesis.admits(_hash(client.genesis)):
            raise ForeignChain
        client.final = self._final
        _catch_up(client)
        client.use_runtime_at(client.get_chain_finalised_head())
        return client

    def _nobody(self) -> Exception:
        if self._endpoints.all_foreign:
            return ConfigInvalid(
                "all chain endpoints belong to another chain: their block 0 is not the one that was named "
                "or used before; check the configured URLs"
            )
        tried = f"no chain endpoint answers ({self._endpoints})"
        return ChainUnreachable(f"{tried}, or they have yet to see what was final; is the node running?")


def _catch_up(client: Any) -> None:
    deadline = time.monotonic() + CATCH_UP_TIMEOUT_S
    while True:
        try:
            client.final_head()
        except NodeBehind as behind:
            if behind.blocks > CATCH_UP_BLOCKS or time.monotonic() > deadline:
                raise
        else:
            return
        with CODEC.given_up():
            time.sleep(_CATCH_UP_POLL_S)


def _hash(answer: Any) -> bytes:
    try:
        return bytes.fromhex(answer.removeprefix("0x"))
    except (AttributeError, ValueError) as exc:
        raise AnswerGarbled from exc


def _outward(exc: BaseException) -> Exception:
    """Return what the connection's users get to see; never the node's own words, which quote the question."""
    said = exc.args[0] if exc.args else None
    if not isinstance(said, dict):
        return ChainUnreachable("the connection to the chain broke")
    if _DISCARDED in f"{said.get('message')} {said.get('data')}":
        return StateDiscarded()
    return ChainUnreachable(f"a chain endpoint answered with error {said.get('code')}")


def _transport_errors() -> tuple[type[BaseException], ...]:
    import websocket  # noqa: PLC0415 - only with the adapter

    return (OSError, websocket.WebSocketException)


def _failures() -> tuple[type[BaseException], ...]:
    from substrateinterface.exceptions import SubstrateRequestException  # noqa: PLC0415 - only with the adapter

    return (*_transport_errors(), SubstrateRequestException)


def _misfits() -> tuple[type[BaseException], ...]:
    from scalecodec import exceptions  # noqa: PLC0415 - only with the adapter

    return (exceptions.RemainingScaleBytesNotEmptyException, exceptions.InvalidScaleTypeValueException)
