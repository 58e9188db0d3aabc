"""Where a development network keeps its things, below one folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DevnetLayout:
    """Names below the network's folder."""

    root: Path

    @property
    def processes(self) -> Path:
        """Which processes were started: what `down` and `status` go by."""
        return self.root / "processes.json"

    @property
    def chain(self) -> Path:
        """The node's database, or the chain simulator's configuration."""
        return self.root / "chain"

    @property
    def storage(self) -> Path:
        """The gateway and the storage nodes."""
        return self.root / "storage"

    @property
    def sidecar(self) -> Path:
        """The sidecar's home folder."""
        return self.root / "sidecar"

    @property
    def sidecar_config(self) -> Path:
        """The sidecar's configuration."""
        return self.root / "sidecar.toml"

    @property
    def passphrase(self) -> Path:
        """Opens every key file of this network. A development network has nothing to hide."""
        return self.root / "passphrase"

    @property
    def logs(self) -> Path:
        """What the processes report."""
        return self.root / "logs"

    def identity(self, name: str) -> Path:
        """Return an account's key file."""
        return self.root / f"{name}.identity.json"

    def profile(self, name: str) -> Path:
        """Return the profile that programs use to act as an account."""
        return self.root / f"{name}.toml"
