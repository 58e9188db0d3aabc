"""A stand-in for HashiCorp Vault: a process that serves those endpoints of the transit engine that are used.

It is real in what matters here: HTTP, tokens, AppRole, AES-256-GCM under keys derived from a context,
versions, `min_decryption_version`, a seal. All is in memory. Errors have Vault's status codes and form.

Tests steer it below `/test/`: `seal`, `unseal`, `revoke` (all tokens but the first), `stall`, `flood`,
`redirect`.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import requests
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from storage_network import tls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 10.0
ROOT: Final = Path(__file__).parents[1]
NAMESPACE: Final = "clinic"
ROLE_ID: Final = "8c7e3a60-role"
TOKEN_VARIABLE: Final = "STANDIN_TOKEN"
SECRET_ID_VARIABLE: Final = "STANDIN_SECRET_ID"
_NONCE_LEN: Final = 12


class Refused(Exception):
    """What Vault answers with a status other than success."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class Key:
    """A transit key of the type aes256-gcm96, derived or not."""

    derived: bool
    versions: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    oldest: int = 1

    @property
    def newest(self) -> int:
        """The version that encrypts."""
        return max(self.versions, default=0)

    def rotate(self) -> None:
        """Draw a version."""
        self.versions[self.newest + 1] = (secrets.token_bytes(32), int(time.time()))

    def encrypt(self, plaintext: bytes, context: bytes) -> str:
        """Encrypt with the newest version."""
        nonce = secrets.token_bytes(_NONCE_LEN)
        sealed = nonce + self._cipher(self.newest, context).encrypt(nonce, plaintext, None)
        return f"vault:v{self.newest}:{base64.b64encode(sealed).decode()}"

    def decrypt(self, ciphertext: str, context: bytes) -> bytes:
        """Decrypt, if the version is one of those that may."""
        try:
            name, version, body = ciphertext.split(":")
            number, sealed = int(version.removeprefix("v")), base64.b64decode(body, validate=True)
        except (ValueError, binascii.Error):
            raise Refused(400, "invalid ciphertext") from None
        if name != "vault" or number > self.newest:
            raise Refused(400, "invalid ciphertext: version is too new")
        if number < self.oldest:
            raise Refused(400, "ciphertext or signature version is disallowed by policy (too old)")
        try:
            return self._cipher(number, context).decrypt(sealed[:_NONCE_LEN], sealed[_NONCE_LEN:], None)
        except (InvalidTag, ValueError):
            raise Refused(400, "cipher: message authentication failed") from None

    def _cipher(self, version: int, context: bytes) -> AESGCM:
        secret = self.versions[version][0]
        if not self.derived:
            return AESGCM(secret)
        if not context:
            raise Refused(400, "missing 'context' for key derivation")
        return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=context).derive(secret))


class Transit:
    """The engine, and who may use it."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.first, self.secret_id = os.environ[TOKEN_VARIABLE], os.environ[SECRET_ID_VARIABLE]
        self.tokens = {self.first}
        self.mode = "unseal"

    def answer(self, method: str, path: str, given: dict[str, Any], token: str, namespace: str) -> Any:
        """Return the JSON of an answer, None for an empty one."""
        if self.mode == "seal":
            raise Refused(503, "Vault is sealed")
        if (method, path) == ("POST", "auth/approle/login"):
            return self._log_in(given)
        if token not in self.tokens:
            raise Refused(403, "permission denied")
        parts = path.split("/")
        if namespace not in {"", NAMESPACE} or len(parts) < 3 or parts[0] != "transit":
            raise Refused(404, "no handler for route")
        return self._engine(method, parts[1], f"{namespace}/{parts[2]}", parts[3:], given)

    def _engine(self, method: str, verb: str, name: str, rest: list[str], given: dict[str, Any]) -> Any:
        if (method, verb, rest) == ("POST", "keys", []):
            self.keys.setdefault(name, Key(derived=bool(given.get("derived"))))
            if not self.keys[name].versions:
                self.keys[name].rotate()
            return None
        key = self.keys.get(name)
        if key is None:
            raise Refused(404) if verb == "keys" else Refused(400, "encryption key not found")
        if verb == "keys":
            return self._manage(method, key, rest, given)
        works: dict[str, Callable[[Key, dict[str, Any]], dict[str, str]]] = {
            "encrypt": _encrypt,
            "decrypt": _decrypt,
            "rewrap": _rewrap,
        }
        if "batch_input" in given:
            return {
                "data": {"batch_results": [_item(works[verb], key, each) for each in given["batch_input"]]}
            }
        return {"data": works[verb](key, given)}

    def _manage(self, method: str, key: Key, rest: list[str], given: dict[str, Any]) -> Any:
        if (method, rest) == ("POST", ["rotate"]):
            key.rotate()
        elif (method, rest) == ("POST", ["config"]):
            if given["min_decryption_version"] > key.newest:
                raise Refused(400, "cannot set min decryption version of more than the latest version")
            key.oldest = given["min_decryption_version"]
        elif (method, rest) != ("GET", []):
            raise Refused(405)
        else:
            return {"data": _described(key)}
        return None

    def _log_in(self, given: dict[str, Any]) -> Any:
        if (given.get("role_id"), given.get("secret_id")) != (ROLE_ID, self.secret_id):
            raise Refused(400, "invalid role or secret ID")
        token = "s." + secrets.token_hex(12)
        self.tokens.add(token)
        return {"auth": {"client_token": token, "lease_duration": 3600, "renewable": True}}


def _described(key: Key) -> dict[str, Any]:
    return {
        "type": "aes256-gcm96",
        "derived": key.derived,
        "exportable": False,
        "allow_plaintext_backup": False,
        "supports_encryption": True,
        "latest_version": key.newest,
        "min_decryption_version": key.oldest,
        "min_encryption_version": 0,
        "keys": {str(number): made for number, (_, made) in key.versions.items() if number >= key.oldest},
    }


def _bytes(given: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(given.get(name) or "", validate=True)
    except binascii.Error:
        raise Refused(400, f"failed to base64-decode {name}") from None


def _encrypt(key: Key, given: dict[str, Any]) -> dict[str, str]:
    return {"ciphertext": key.encrypt(_bytes(given, "plaintext"), _bytes(given, "context"))}


def _decrypt(key: Key, given: dict[str, Any]) -> dict[str, str]:
    plaintext = key.decrypt(given["ciphertext"], _bytes(given, "context"))
    return {"plaintext": base64.b64encode(plaintext).decode()}


def _rewrap(key: Key, given: dict[str, Any]) -> dict[str, str]:
    context = _bytes(given, "context")
    return {"ciphertext": key.encrypt(key.decrypt(given["ciphertext"], context), context)}


def _item(
    work: Callable[[Key, dict[str, Any]], dict[str, str]], key: Key, given: dict[str, Any]
) -> dict[str, str]:
    try:
        return work(key, given)
    except Refused as refused:
        return {"error": refused.message}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body of an answer in one packet
    disable_nagle_algorithm = True
    transit: Transit

    def do_GET(self) -> None:
        """Answer a read."""
        self._serve("GET")

    def do_POST(self) -> None:
        """Answer a write."""
        self._serve("POST")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep quiet: what is written here is nobody's business."""

    def _serve(self, method: str) -> None:
        given = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if self.path.startswith("/test/"):
            return self._steer(self.path.removeprefix("/test/"))
        if self.transit.mode == "stall":
            time.sleep(STOP_TIMEOUT_S)
        if self.transit.mode == "redirect":
            return self._send(307, None, {"Location": f"http://127.0.0.1:1{self.path}"})
        if self.transit.mode == "flood":
            return self._send(200, {"data": {"ciphertext": "x" * (2 << 20)}})
        token, space = self.headers.get("X-Vault-Token", ""), self.headers.get("X-Vault-Namespace", "")
        try:
            answer = self.transit.answer(method, self.path.removeprefix("/v1/"), given, token, space)
        except Refused as refused:
            return self._send(refused.status, {"errors": [refused.message] if refused.message else []})
        return self._send(204 if answer is None else 200, answer)

    def _steer(self, what: str) -> None:
        if what == "revoke":
            self.transit.tokens = {self.transit.first}
        else:
            self.transit.mode = what
        self._send(200, {})

    def _send(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        body = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(ready: Path, papers: Path | None) -> None:
    """Serve until killed; the port stands in the ready file."""
    Handler.transit = Transit()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if papers is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(papers / tls.CERTIFICATE, papers / tls.KEY)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    part = ready.with_suffix(".part")
    part.write_text(str(server.server_port))
    part.replace(ready)
    server.serve_forever()


@dataclass(frozen=True, kw_only=True)
class VaultServer:
    """A server that runs."""

    port: int
    token: str
    secret_id: str
    scheme: str = "http"
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def steer(self, what: str) -> None:
        """Have it behave in some way from now on; `unseal` is its ordinary one."""
        assert requests.get(f"{self.url}/test/{what}", timeout=START_TIMEOUT_S).ok

    def stop(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)


@contextmanager
def running_vault(folder: Path, papers: Path | None = None) -> Iterator[VaultServer]:
    """Run a server for the length of the block; blocks."""
    ready, token, secret_id = folder / "vault-port", "hvs." + secrets.token_hex(12), secrets.token_hex(12)
    ready.unlink(missing_ok=True)
    secret = {TOKEN_VARIABLE: token, SECRET_ID_VARIABLE: secret_id}
    command = [sys.executable, "-m", "tests.vault_server", str(ready), *([str(papers)] if papers else [])]
    with (folder / "vault.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | secret, stdout=log, stderr=log)
    try:
        port = _port(ready, process, folder / "vault.log")
        scheme = "https" if papers else "http"
        yield VaultServer(port=port, token=token, secret_id=secret_id, scheme=scheme, process=process)
    finally:
        process.kill()
        process.wait(STOP_TIMEOUT_S)


def _port(ready: Path, process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready.exists():
        assert time.monotonic() < deadline, log.read_text()
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    return int(ready.read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
