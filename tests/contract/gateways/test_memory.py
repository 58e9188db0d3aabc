"""Large objects are streams: what they take of memory does not depend on their size."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.contract.gateways.clients import content_of, file_of
from tests.contract.gateways.stock import stock_gateway

MIB = 1024 * 1024
SIZE = 80 * MIB
#: Buffers of two connections and of files; a client that held the object would take five times as much.
LIMIT = 16 * MIB


async def test_eighty_megabytes_take_sixteen(tmp_path: Path) -> None:
    """An upload in chunks and downloads of both kinds pass 80 MiB through a few buffers."""
    content = content_of(SIZE)
    file_of(tmp_path, content).rename(tmp_path / "large")
    (tmp_path / "small").write_bytes(content[:MIB])
    async with stock_gateway() as gateway:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.contract.gateways.transferring",
            gateway.url,
            str(tmp_path),
            cwd=Path(__file__).parents[3],
            stdout=asyncio.subprocess.PIPE,
        )
        grown, _ = await process.communicate()
    assert 0 == process.returncode
    assert content == (tmp_path / "back").read_bytes()
    assert content == (tmp_path / "resumed").read_bytes()
    assert int(grown) < LIMIT
