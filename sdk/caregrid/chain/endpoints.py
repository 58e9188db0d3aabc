"""Which node to try first: the order of preference, and what was learned of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from caregrid.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How long an endpoint that failed stands behind the others; twice as long with each failure in a row.
AVOIDED_S: Final = 30.0
#: However often an endpoint has failed, it is looked at again after so long.
MAX_AVOIDED_S: Final = 600.0


class Endpoints:
    """An ordered list of endpoints; times are seconds of a monotonic clock."""

    def __init__(self, urls: Sequence[str]) -> None:
        if not urls:
            raise ConfigInvalid("no chain endpoint is configured; name at least one ws:// URL")
        self._urls = tuple(dict.fromkeys(urls))
        self._failures: dict[str, int] = {}
        self._avoided_until: dict[str, float] = {}
        self._foreign: set[str] = set()

    def in_order(self, now: float) -> list[str]:
        """Return what to try, in this order: who failed lately comes last, who serves another chain never."""
        usable = [url for url in self._urls if url not in self._foreign]
        return sorted(usable, key=lambda url: now < self._avoided_until.get(url, now))

    def better_than(self, url: str, now: float) -> list[str]:
        """Return the endpoints that are preferred to `url` and have not failed lately."""
        earlier = self._urls[: self._urls.index(url)]
        return [each for each in self.in_order(now) if each in earlier and not self._avoided(each, now)]

    def failed(self, url: str, now: float) -> None:
        """Note that an endpoint did not answer, or lags."""
        failures = self._failures[url] = self._failures.get(url, 0) + 1
        self._avoided_until[url] = now + min(MAX_AVOIDED_S, AVOIDED_S * 2.0 ** min(failures - 1, 16))

    def served(self, url: str) -> None:
        """Note that an endpoint answered."""
        self._failures.pop(url, None)
        self._avoided_until.pop(url, None)

    def foreign(self, url: str) -> None:
        """Note that an endpoint belongs to another chain: it is never tried again."""
        self._foreign.add(url)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._urls)

    @property
    def all_foreign(self) -> bool:
        """Whether no endpoint is of our chain."""
        return len(self._foreign) == len(self._urls)

    def __str__(self) -> str:
        return ", ".join(map(public_name, self._urls))

    def _avoided(self, url: str, now: float) -> bool:
        return now < self._avoided_until.get(url, now)


def public_name(url: str) -> str:
    """Return a URL's scheme, host and port: the rest may hold a password or a provider's token."""
    parts = urlsplit(url)
    try:
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        port = ""
    return f"{parts.scheme}://{parts.hostname}{port}"
