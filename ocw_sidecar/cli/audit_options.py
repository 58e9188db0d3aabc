"""Options that the commands of `caregrid audit` share, and the files that they read and write."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caregrid.chain import SubstrateChain
from caregrid.disk import AtomicFile
from caregrid.errors import ConfigInvalid, InputInvalid, InputMissing
from caregrid.keys.secret_file import others_may
from caregrid.proofs.podr2 import DEFAULT_COUNT, Scheme, SecretKey, keygen
from caregrid.proofs.schedule import DEFAULT_FRAGMENTS, Terms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from caregrid.proofs.verdict import Verdict

ObjectArgument = Annotated[str, typer.Argument(metavar="OBJECT", help="An object's file id: 64 hex digits.")]
NodeUrls = Annotated[
    list[str], typer.Option("--node", help="RPC address of a node that you trust, ws://…; repeatable.")
]
GenesisHash = Annotated[
    str | None, typer.Option("--genesis", help="Hash of the chain's first block; another chain is refused.")
]
Height = Annotated[
    int | None,
    typer.Option("--at", min=1, help="The round: a block whose number 10 divides. Default: the last."),
]
Blocks = Annotated[int, typer.Option(min=1, max=1024, help="Blocks asked for of each fragment.")]
Probability = Annotated[
    float | None,
    typer.Option(help="Instead: ask for as many as find damage to 1 % of a fragment so probably."),
]
Fragments = Annotated[int, typer.Option(min=1, max=256, help="Fragments asked for.")]
KeyFile = Annotated[
    Path,
    typer.Option("--key", help="File with the secret proof key; `commit` makes one where there is none."),
]
DEFAULT_BLOCKS: Final = DEFAULT_COUNT
DEFAULT_ASKED: Final = DEFAULT_FRAGMENTS
#: Cores used for the arithmetic.
THREADS: Final = os.cpu_count() or 1

_KEY_LEN: Final = 33
_HASH_LEN: Final = 32


def terms(blocks: int, probability: float | None, fragments: int) -> Terms:
    """Return what is asked for.

    Raises:
        InputInvalid: a number is out of its range.
    """
    if probability is not None:
        return Terms.detecting(probability, fragments=fragments)
    return Terms(blocks=blocks, fragments=fragments)


@asynccontextmanager
async def chain_of(urls: Sequence[str], genesis: str | None) -> AsyncIterator[SubstrateChain]:
    """Open the chain through nodes, and close it.

    Raises:
        InputInvalid: the hash of the first block is none.
    """
    chain = SubstrateChain(urls, genesis=None if genesis is None else _hash(genesis))
    try:
        yield chain
    finally:
        await chain.close()


async def read_file(path: Path, limit: int) -> bytes:
    """Return the bytes of a file.

    Raises:
        InputMissing: there is none.
        InputInvalid: it cannot be read, or is longer than anything that it could be.
    """
    content = await asyncio.to_thread(_read, path, limit)
    if len(content) > limit:
        raise InputInvalid(f"{path} has more than {limit} bytes; it is something else")
    return content


async def write_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    await asyncio.to_thread(_write, path, content)


async def proof_key(path: Path, *, make: bool) -> SecretKey:
    """Return the secret proof key in a file; where there is none, make one if that is wanted.

    Raises:
        InputMissing: there is no such file, and none is to be made.
        ConfigInvalid: others than its owner can read it, or it holds something else.
    """
    if make and not await asyncio.to_thread(path.exists):
        key = keygen(Scheme.PUBLIC)
        await write_file(path, key.encode())
        return key
    content = await read_file(path, _KEY_LEN)
    if others_may((await asyncio.to_thread(path.stat)).st_mode):
        raise ConfigInvalid(f"{path} is readable by others; set its mode to 0600")
    key = SecretKey.decode(content)
    if key.scheme is not Scheme.PUBLIC:
        raise ConfigInvalid(f"{path} holds a key that only its owner can verify with; give a public one's")
    return key


def findings(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict for printing."""
    return {
        "outcome": verdict.worst.value,
        "round": verdict.height,
        "fragments": [
            {"number": number, "finding": finding.value}
            for number, finding in sorted(verdict.findings.items())
        ],
    }


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except FileNotFoundError as exc:
        raise InputMissing(f"there is no file {path}; check the path") from exc
    except OSError as exc:
        raise InputInvalid(f"{path} cannot be read") from exc


def _write(path: Path, content: bytes) -> None:
    with AtomicFile(path) as file:
        file.write(content)
        file.publish()


def _hash(text: str) -> bytes:
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != _HASH_LEN:
        raise InputInvalid("the hash of a block is 64 hex digits")
    return value
