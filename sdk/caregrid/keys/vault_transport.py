"""Asks a Vault server: who we are, how long an answer may take, and what its refusals mean."""

from __future__ import annotations

import io
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlsplit

import hvac
import requests
from hvac import exceptions as faults
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError

from caregrid.errors import ConfigInvalid, KeyStoreLocked, KeyStoreUnreachable, ProtocolViolation
from caregrid.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: A server on the same network accepts at once.
CONNECT_TIMEOUT_S: Final = 5.0
#: Vault answers in milliseconds, and after a change of its leader within seconds.
READ_TIMEOUT_S: Final = 15.0
#: The whole of one answer, however slowly it drips.
ANSWER_TIMEOUT_S: Final = 30.0
#: A batch of wrapped keys takes a twentieth of this.
MAX_ANSWER_BYTES: Final = 1 << 20

#: `client.secrets.transit` and the rest of hvac, which has no types.
Client: TypeAlias = Any
Json: TypeAlias = dict[str, Any]


class Login(ABC):
    """How a token is come by."""

    @abstractmethod
    def token(self, client: Client) -> str:
        """Return a token that is valid now, as far as one can tell without using it."""


class TokenLogin(Login):
    """Whoever keeps the token fresh (Vault Agent, an operator) writes it to a file, which is read again."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read

    def token(self, client: Client) -> str:
        """Return the token as it is written now; see `Login.token`."""
        del client
        return self._read()


class AppRoleLogin(Login):
    """Logs in with a role id and a secret id."""

    def __init__(self, role_id: Callable[[], str], secret_id: Callable[[], str], *, mount: str) -> None:
        self._role_id, self._secret_id, self._mount = role_id, secret_id, mount

    def token(self, client: Client) -> str:
        """Return a new token; see `Login.token`."""
        role_id, secret_id = self._role_id(), self._secret_id()
        try:
            found = client.auth.approle.login(
                role_id=role_id, secret_id=secret_id, use_token=False, mount_point=self._mount
            )
        except (faults.InvalidRequest, faults.Forbidden) as exc:
            raise KeyStoreLocked(
                "Vault refuses the AppRole; check role id, secret id and its limits"
            ) from exc
        token = found.get("auth", {}).get("client_token") if isinstance(found, dict) else None
        if not isinstance(token, str):
            raise ProtocolViolation("Vault answered a login without a token; is this a Vault server?")
        return token


@dataclass(frozen=True, kw_only=True, slots=True)
class VaultPlace:
    """Which key on which server.

    Raises:
        ConfigInvalid: the URL would send the token over a network in the clear.
    """

    url: str
    key: str = "caregrid"
    mount: str = "transit"
    namespace: str | None = None
    ca_file: Path | None = None  #: in place of the system's authorities

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
            raise ConfigInvalid("Vault's URL has the form https://HOST:PORT; http:// only to this machine")
        if parts.username or parts.password:
            raise ConfigInvalid(
                "Vault's URL holds no name or password; a token's file is a setting of its own"
            )


class VaultTransport:
    """Requests with a token that is come by when it is needed, and once more when it is refused."""

    def __init__(self, place: VaultPlace, login: Login) -> None:
        self._login = login
        self._session = requests.Session()
        self._session.trust_env = False  # neither a proxy nor another login is taken from the environment
        self._session.headers["Accept-Encoding"] = "identity"  # so that its bound is the answer's
        self._session.mount("https://", _Bounded())
        self._session.mount("http://", _Bounded())
        self._session.verify = str(place.ca_file) if place.ca_file else True
        self._client: Client = hvac.Client(
            url=place.url,
            token="",
            verify=self._session.verify,
            namespace=place.namespace,
            session=self._session,
            allow_redirects=False,  # the token goes where the settings say
        )
        self._logging_in = threading.Lock()

    def ask(self, work: Callable[[Client], Any]) -> Json:
        """Return the JSON of one request, empty where there is none.

        Raises:
            KeyStoreLocked: Vault refuses token or role, or its policy forbids the request.
            KeyStoreUnreachable: it does not answer in time, is sealed, or fails.
            ConfigInvalid: its certificate is not trusted.
            hvac.exceptions.InvalidRequest, InvalidPath: it cannot do what was asked.
        """
        try:
            return self._asked(work)
        except (faults.Forbidden, faults.Unauthorized) as exc:
            raise KeyStoreLocked(
                "Vault refuses the token, or its policy does; renew it, or widen that"
            ) from exc
        except requests.exceptions.SSLError as exc:
            raise ConfigInvalid(
                "Vault's certificate is not trusted; check `vault_ca_file` and the URL"
            ) from exc
        except (requests.exceptions.RequestException, HTTPError, OSError) as exc:
            raise KeyStoreUnreachable("Vault does not answer; check that it runs, and its URL") from exc
        except (faults.VaultDown, faults.VaultNotInitialized) as exc:
            raise KeyStoreUnreachable("Vault is sealed or under maintenance; unseal it") from exc
        except (faults.InvalidRequest, faults.InvalidPath):
            raise
        except faults.VaultError as exc:
            raise KeyStoreUnreachable(f"Vault fails ({type(exc).__name__}); look at its log") from exc

    def close(self) -> None:
        """Close connections."""
        self._session.close()

    def _asked(self, work: Callable[[Client], Any]) -> Json:
        used = self._client.token or self._renewed("")
        try:
            return _json(work(self._client))
        except faults.Forbidden:
            self._renewed(used)
            return _json(work(self._client))

    def _renewed(self, used: str) -> str:
        with self._logging_in:
            if self._client.token == used:  # else another thread was faster
                self._client.token = self._login.token(self._client)
            return str(self._client.token)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class _Bounded(HTTPAdapter):
    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs |= {"stream": True, "timeout": (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)}
        began = time.monotonic()
        response = super().send(request, *args, **kwargs)
        try:
            body = _read(response.raw, began + ANSWER_TIMEOUT_S)
        finally:
            response.close()
        response.raw = HTTPResponse(body=io.BytesIO(body), preload_content=False)
        return response


def _read(raw: Any, deadline: float) -> bytes:
    body = bytearray()
    while part := raw.read1(65_536):
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            raise requests.exceptions.ContentDecodingError("the answer is too long")
        if time.monotonic() > deadline:
            raise requests.exceptions.ReadTimeout("the answer takes too long")
    return bytes(body)


def _json(answer: Any) -> Json:
    if isinstance(answer, dict):
        return answer
    if isinstance(answer, requests.Response) and answer.status_code == requests.codes.no_content:
        return {}
    raise ProtocolViolation("this is no answer of Vault's; check the URL, which must not redirect")
