"""Who a program is and where its chain, storage and sidecar are: one TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caregrid.errors import CaregridError, ConfigInvalid
from caregrid.keys import decode_account

if TYPE_CHECKING:
    from pathlib import Path

#: The territory that CareGrid stores in unless it is told otherwise.
DEFAULT_TERRITORY: Final = "caregrid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """The contents of a profile; relative paths in the file are relative to its folder."""

    chain_urls: tuple[str, ...]
    gateway_url: str
    identity_file: Path
    passphrase_file: Path
    organisation: bytes | None = None  #: the account that this program may act for
    sidecar_url: str | None = None
    token_file: Path | None = None
    gateway_urls: tuple[str, ...] = ()  #: further gateways of the same storage network
    territory: str = DEFAULT_TERRITORY  #: what objects are stored in

    @property
    def gateways(self) -> tuple[str, ...]:
        """The storage gateways, the preferred one first."""
        return tuple(dict.fromkeys((self.gateway_url, *self.gateway_urls)))

    @classmethod
    def load(cls, path: Path) -> Profile:
        """Read a profile.

        Raises:
            ConfigInvalid: there is no such file, or it is not a profile; the message names the fault.
        """
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError as exc:
            raise ConfigInvalid(
                f"there is no profile {path}; `caregrid devnet up` makes one for a local network"
            ) from exc
        except (OSError, ValueError) as exc:
            raise ConfigInvalid(f"the profile {path} cannot be read as TOML: {exc}") from exc
        try:
            return _profile(values, path.parent)
        except KeyError as exc:
            raise ConfigInvalid(f"the profile {path} lacks {exc.args[0]}") from exc
        except (TypeError, ValueError, CaregridError) as exc:
            raise ConfigInvalid(f"the profile {path} is not usable: {exc}") from exc


def _profile(values: dict[str, Any], folder: Path) -> Profile:
    return Profile(
        chain_urls=tuple(values["chain_urls"]),
        gateway_url=values["gateway_url"],
        identity_file=folder / values["identity_file"],
        passphrase_file=folder / values["passphrase_file"],
        organisation=decode_account(values["organisation"]) if "organisation" in values else None,
        sidecar_url=values.get("sidecar_url"),
        token_file=folder / values["token_file"] if "token_file" in values else None,
        gateway_urls=tuple(values.get("gateway_urls", ())),
        territory=str(values.get("territory", DEFAULT_TERRITORY)),
    )
