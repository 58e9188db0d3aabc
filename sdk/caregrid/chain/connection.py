"""One substrate-interface client on one thread of its own, with failover over a list of endpoints.

The library is not thread-safe, keeps notifications that nobody reads, and survives few transport faults;
so each connection owns its client, replaces it now and then, and reconnects once per failure.

Nor is it safe with a client for each thread: its decoder classes are global and point at the type registry
that was used last, of whichever client, also at one that is still being filled. So no client works while
another is set up.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import TYPE_CHECKING, Any, Final, TypeVar

from caregrid.chain.exclusion import SetUpLock
from caregrid.errors import ChainUnreachable, ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

_REGISTRIES: Final = SetUpLock()

#: One request to a node on the same site answers in milliseconds; metadata takes a second or two.
RPC_TIMEOUT_S: Final = 20.0
#: A client collects unread messages; after so many pieces of work it is replaced.
RECYCLE_AFTER: Final = 5_000


class Connection:
    """Runs work on a client that is connected to the first endpoint that answers."""

    def __init__(self, urls: Sequence[str], *, genesis: bytes | None = None) -> None:
        """Remember the endpoints; connecting is left to the first piece of work.

        Args:
            urls: WebSocket URLs, the preferred one first.
            genesis: the hash of block 0 that every endpoint must have; None takes the first one's.
        """
        if not urls:
            raise ConfigInvalid("no chain endpoint is configured; name at least one ws:// URL")
        self._urls = tuple(urls)
        self._next = 0
        self._genesis = None if genesis is None else "0x" + genesis.hex()
        self._client: Any = None
        self._done = 0
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="chain")

    async def run(self, work: Callable[[Any], T], *, repeat: bool = True) -> T:
        """Run work on the connection's thread.

        Args:
            work: gets the `SubstrateInterface`; must not keep it.
            repeat: whether the work may be done twice, when the transport fails in the middle.

        Raises:
            ChainUnreachable: no endpoint answered, or the transport failed and `repeat` is false.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work, repeat)

    async def close(self) -> None:
        """Disconnect and end the thread."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._discard)
        self._thread.shutdown(wait=False)

    def _run(self, work: Callable[[Any], T], repeat: bool) -> T:  # noqa: FBT001 - positional for the executor
        try:
            return self._work(work)
        except _transport_errors() as exc:
            self._discard()
            if not repeat:
                raise ChainUnreachable("the connection to the chain broke") from exc
        try:
            return self._work(work)
        except _transport_errors() as exc:
            self._discard()
            raise ChainUnreachable(f"no chain endpoint answers ({self._names()})") from exc

    def _work(self, work: Callable[[Any], T]) -> T:
        client = self._connected()
        with _REGISTRIES.working():
            return work(client)

    def _connected(self) -> Any:
        if self._done >= RECYCLE_AFTER:
            self._discard()
        self._done += 1
        if self._client is None:
            self._client = self._connect_any()
        return self._client

    def _connect_any(self) -> Any:
        for _ in self._urls:
            url = self._urls[self._next]
            try:
                return self._connect(url)
            except _transport_errors():
                self._next = (self._next + 1) % len(self._urls)
        raise ChainUnreachable(f"no chain endpoint answers ({self._names()}); is the node running?")

    def _connect(self, url: str) -> Any:
        import websocket  # noqa: PLC0415 - only with the adapter

        # Connecting to a dead endpoint takes long, and needs no lock.
        # The JSON parser looks at every byte anyway; looking twice costs a fifth of the time of a full block.
        socket = websocket.create_connection(url, timeout=RPC_TIMEOUT_S, skip_utf8_validation=True)
        try:
            with _REGISTRIES.setting_up():
                return self._set_up(socket)
        except BaseException:
            socket.close()
            raise

    def _set_up(self, socket: Any) -> Any:
        from substrateinterface import SubstrateInterface  # noqa: PLC0415 - half a second to import

        from caregrid.chain.scale import type_registry  # noqa: PLC0415 - likewise

        client = SubstrateInterface(
            websocket=socket, auto_reconnect=False, auto_discover=False, type_registry=type_registry()
        )
        genesis = client.get_block_hash(0)
        if self._genesis is not None and genesis != self._genesis:
            raise ConfigInvalid("a chain endpoint belongs to another chain; check the configured URLs")
        self._genesis = genesis
        client.init_runtime()
        return client

    def _discard(self) -> None:
        client, self._client, self._done = self._client, None, 0
        if client is not None:
            try:
                client.close()
            except _transport_errors():
                return

    def _names(self) -> str:
        return ", ".join(self._urls)


def _transport_errors() -> tuple[type[BaseException], ...]:
    import websocket  # noqa: PLC0415 - only with the adapter

    return (OSError, websocket.WebSocketException)
