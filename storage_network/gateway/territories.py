"""Space that accounts have for a time, as a file lists it."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import ConfigInvalid, TerritoryUnusable, Unauthorised
from storage_network import files
from storage_network.gateway import auth

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from storage_network.gateway.records import Owner

#: Territories that a gateway may have.
MAX_TERRITORIES: Final = 10_000
FILE_NAME: Final = "territories.json"

_MAX_NAME: Final = 63


@dataclass(frozen=True, kw_only=True, slots=True)
class Territory:
    """Space of one account under a name."""

    account: bytes
    name: str
    total: int  #: bytes; an object takes 96 MiB for each of its segments
    deadline: datetime | None  #: aware; from then on nothing is stored, and nothing is lost

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= _MAX_NAME or not self.name.isprintable():
            raise ConfigInvalid(f"a territory's name has 1 to {_MAX_NAME} printable characters")
        if self.total <= 0:
            raise ConfigInvalid("a territory's space must be above 0")
        if self.deadline is not None and self.deadline.tzinfo is None:
            raise ConfigInvalid("a territory's deadline needs a time zone, as in 2027-01-31T00:00:00Z")

    def is_over(self, now: datetime) -> bool:
        """Whether nothing can be stored any more."""
        return self.deadline is not None and self.deadline <= now


def read(path: Path) -> list[Territory]:
    """Return the territories of a file; none when there is no file.

    Raises:
        ConfigInvalid: it has another form.
    """
    try:
        entries = json.loads(path.read_text())
        return [_territory(entry) for entry in entries]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, LookupError, AttributeError, Unauthorised) as exc:
        raise ConfigInvalid(f"{path} is no list of territories; write it with the program for it") from exc


def write(path: Path, territories: Iterable[Territory]) -> None:
    """Write a file anew, at once.

    Raises:
        ConfigInvalid: there are too many.
    """
    entries = [_entry(each) for each in territories]
    if len(entries) > MAX_TERRITORIES:
        raise ConfigInvalid(f"a gateway has at most {MAX_TERRITORIES} territories")
    files.write_atomically(path, json.dumps(entries, indent=2).encode())


class Territories:
    """The territories of a gateway; a changed file counts from the next request on. Methods block."""

    def __init__(self, path: Path, *, required: bool) -> None:
        self._path, self.required = path, required
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._known: dict[tuple[bytes, str], Territory] = {}

    def find(self, account: bytes, name: str) -> Territory | None:
        """Return a territory, or None."""
        with self._lock:
            stamp = files.stamp_of(self._path)
            if stamp != self._stamp:
                self._known = {(each.account, each.name): each for each in read(self._path)}
                self._stamp = stamp
            return self._known.get((account, name))

    def allowed(self, owner: Owner) -> int | None:
        """Return the bytes of space that an upload's territory has in all; None where none is required.

        Raises:
            TerritoryUnusable: there is no such territory, or its time is over.
        """
        if not self.required:
            return None
        territory = self.find(owner.account, owner.territory)
        if territory is None:
            raise TerritoryUnusable("please purchase territory first")
        if territory.is_over(datetime.now(UTC)):
            raise TerritoryUnusable("territory will expire soon")
        return territory.total


def _territory(entry: dict[str, Any]) -> Territory:
    deadline = entry["deadline"]
    return Territory(
        account=auth.account_of(entry["account"]),
        name=str(entry["name"]),
        total=int(entry["total_bytes"]),
        deadline=None if deadline is None else datetime.fromisoformat(deadline),
    )


def _entry(territory: Territory) -> dict[str, Any]:
    return {
        "account": auth.cess_address(territory.account),
        "name": territory.name,
        "total_bytes": territory.total,
        "deadline": None if territory.deadline is None else territory.deadline.isoformat(),
    }
