"""A development network on the real node, used through the command line as people do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ocw_sidecar.devnet import Devnet
from tests.command_line import caregrid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ocw_sidecar.devnet.chain import ChainParts
    from tests.command_line import Answer


@dataclass(frozen=True)
class Network:
    """A running network and its profiles."""

    devnet: Devnet
    program: Callable[..., Answer] = caregrid

    @property
    def clinic(self) -> Path:
        """The hospital's application."""
        return self.devnet.layout.profile("clinic")

    @property
    def reader(self) -> Path:
        """A second person."""
        return self.devnet.layout.profile("reader")

    def profile_like(
        self, base: Path, target: Path, *, identity: Path | None = None, without: Sequence[str] = ()
    ) -> Path:
        """Write a profile with another identity's file, or without some fields, and return its path."""
        changed = {
            "identity_file": identity or self._identity_of(base),
            "passphrase_file": self.devnet.layout.passphrase,
        }
        lines = [
            line
            for line in base.read_text().splitlines()
            if line.partition(" ")[0] not in {*changed, *without}
        ]
        lines += [f'{name} = "{path}"' for name, path in changed.items()]
        target.write_text("\n".join(lines) + "\n")
        return target

    def _identity_of(self, profile: Path) -> Path:
        return self.devnet.layout.identity(profile.stem)

    def run(self, *arguments: object, profile: Path | None = None) -> Answer:
        """Run a command as the hospital's application, or as somebody else."""
        return self.program(*arguments, profile=profile or self.clinic)

    def submit(self, file: Path, *more: object) -> dict[str, Any]:
        """Submit a file and return what was printed."""
        answer = self.run("emr", "submit", file, "--json", *more)
        assert answer.exit_code in {0, 64}, answer.stderr
        return dict(answer.json)


@pytest.fixture(scope="session")
def network(node_parts: ChainParts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """One network for all acceptance tests; each test uses patients and records of its own."""
    folder = tmp_path_factory.mktemp("acceptance") / "devnet"
    up = caregrid("devnet", "up", "--folder", folder, "--node", node_parts.node, "--json")
    assert up.exit_code == 0, up.stderr
    made = Network(Devnet(folder))
    yield made
    down = caregrid("devnet", "down", "--folder", folder, "--json")
    assert {"stopped": True} == down.json
    made.devnet.down()  # collects what tests of this process have restarted
    assert caregrid("devnet", "status", "--folder", folder, "--json").json["running"] is False


@pytest.fixture
def observation(tmp_path: Path) -> Path:
    """A small FHIR resource that conforms."""
    return write_json(
        tmp_path / "observation.json",
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "Body weight"},
            "valueQuantity": {"value": 72.50, "unit": "kg"},
        },
    )


def write_json(path: Path, value: object) -> Path:
    """Write a file and return its path."""
    path.write_text(json.dumps(value))
    return path


def confirmed(answer: dict[str, Any]) -> Sequence[str]:
    """Return the ids of the records that are final."""
    return [item["record"] for item in answer["records"] if item["state"] == "confirmed"]
