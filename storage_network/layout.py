"""Where a local network keeps what: one folder with a folder for each process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one network."""

    root: Path

    @property
    def token(self) -> Path:
        """The secret that gateway and nodes share."""
        return self.root / "token"

    @property
    def nodes_file(self) -> Path:
        """The nodes' names and URLs, for the gateway."""
        return self.root / "nodes.json"

    @property
    def log(self) -> Path:
        """What all processes write to stderr."""
        return self.root / "network.log"

    @property
    def gateway(self) -> Path:
        """The gateway's folder."""
        return self.root / "gateway"

    def node(self, number: int) -> Path:
        """Return the folder of one node; its last part is the node's name."""
        return self.root / f"node-{number:02d}"

    def ready_file(self, folder: Path) -> Path:
        """Return the ready file of the process with this folder."""
        return folder / "ready.json"

    def node_arguments(self, number: int, port: int = 0) -> Sequence[str]:
        """Return the command-line arguments of one node."""
        return self._arguments(self.node(number), port)

    def gateway_arguments(self, port: int = 0) -> Sequence[str]:
        """Return the command-line arguments of the gateway."""
        return [*self._arguments(self.gateway, port), f"--nodes-file={self.nodes_file}"]

    def _arguments(self, folder: Path, port: int) -> list[str]:
        return [
            f"--root={folder}",
            f"--port={port}",
            f"--token-file={self.token}",
            f"--ready-file={self.ready_file(folder)}",
        ]
