"""A hospital's site to measure: a real node, the local storage network and a sidecar, in their processes."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from caregrid.client import EmrClient
from caregrid.profile import Profile
from ocw_sidecar.devnet import Devnet
from ocw_sidecar.devnet.chain import ChainParts
from ocw_sidecar.devnet.network import Parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: The bench is one caller, and wants to know what the sidecar can do, not what it allows.
_UNLIMITED: Final = {"CAREGRID_API__REQUEST_RATE": "10000000"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A running site."""

    url: str  #: of the sidecar
    token: str
    patient_id: bytes
    pid: int  #: of the sidecar

    def cpu_seconds(self) -> float:
        """Return what the sidecar has used of the processor so far."""
        stat = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        # utime and stime, fields 14 and 15 of proc(5); the name was field 2.
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Return the bytes that the sidecar holds."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


@contextmanager
def running(folder: Path, settings: Mapping[str, str]) -> Iterator[Site]:
    """Start a site with environment variables for its sidecar; stop it at the end."""
    network = Devnet(folder)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**_UNLIMITED, **settings}.items():
            environment.setenv(name, value)
        network.up(Parts(chain=ChainParts(node=Path(os.environ["CAREGRID_NODE"]))), lambda _: None)
    try:
        yield asyncio.run(_describe(network))
    finally:
        network.down()


async def _describe(network: Devnet) -> Site:
    path = network.layout.profile("clinic")
    profile, process = Profile.load(path), network.process("sidecar")
    assert process is not None
    assert profile.token_file is not None
    async with await EmrClient.from_profile(path) as client:
        patient_id = await client.register_patient()
    return Site(
        url=process.url, token=profile.token_file.read_text().strip(), patient_id=patient_id, pid=process.pid
    )
