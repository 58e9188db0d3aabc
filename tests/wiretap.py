"""A TCP proxy on loopback that writes down every byte that passes, both ways."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 16
_CONNECT_TIMEOUT_S = 10.0
_HEADERS_END = b"\r\n\r\n"


class Wiretap:
    """Passes connections on to a port, as long as it lives."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._heard: list[bytearray] = []
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def heard(self) -> list[bytes]:
        """Return what passed so far: the bytes of each connection, each way."""
        with self._lock:
            return [bytes(each) for each in self._heard]

    def close(self) -> None:
        """Cut every connection and end."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._open)
        for each in connections:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in connections:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return
            try:
                outer = socket.create_connection(("127.0.0.1", self._to_port), timeout=_CONNECT_TIMEOUT_S)
            except OSError:
                inner.close()
                continue
            outer.settimeout(None)
            with self._lock:
                self._open += [inner, outer]
            for source, target in ((inner, outer), (outer, inner)):
                thread = threading.Thread(target=self._pass_on, args=(source, target), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        taken = bytearray()
        with self._lock:
            self._heard.append(taken)
        with suppress(OSError):
            while chunk := source.recv(_CHUNK):
                with self._lock:
                    taken += chunk
                target.sendall(chunk)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def tapped(to_port: int) -> Iterator[Wiretap]:
    """Listen in while the block lasts."""
    tap = Wiretap(to_port)
    try:
        yield tap
    finally:
        tap.close()


def unmasked(heard: bytes) -> bytes:
    """Return what one side of a WebSocket connection said (RFC 6455, 5.2): clients hide it by a mask."""
    _, _, rest = heard.partition(_HEADERS_END)
    said, at = bytearray(), 0
    while at + 2 <= len(rest):
        masked, length = rest[at + 1] & 0x80, rest[at + 1] & 0x7F
        at += 2
        if length == 126:
            length, at = struct.unpack_from(">H", rest.ljust(at + 2, b"\0"), at)[0], at + 2
        elif length == 127:
            length, at = struct.unpack_from(">Q", rest.ljust(at + 8, b"\0"), at)[0], at + 8
        mask = rest[at : at + 4] if masked else bytes(4)
        at += 4 if masked else 0
        body = rest[at : at + length]
        pattern = (mask * (len(body) // 4 + 1))[: len(body)]
        said += (int.from_bytes(body) ^ int.from_bytes(pattern)).to_bytes(len(body))
        at += length
    return bytes(said)
