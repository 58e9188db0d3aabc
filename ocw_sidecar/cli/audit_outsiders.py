"""`caregrid audit challenge`, `verify` and `history`: for anybody who has a node of the chain."""

from __future__ import annotations

import asyncio
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caregrid import auditing
from caregrid.errors import ObjectUnknown
from caregrid.keys import encode_account
from caregrid.proofs.bundle import MAX_BUNDLE_LEN, Bundle
from caregrid.proofs.proving_store import FragmentPlace
from caregrid.proofs.verdict import fragments_of
from ocw_sidecar.cli import audit_options, options, output
from ocw_sidecar.cli.storage_opening import object_id

if TYPE_CHECKING:
    from caregrid.auditing import Committed, Told, Verified
    from caregrid.chain import SubstrateChain
    from caregrid.proofs.beacon import Beacon
    from caregrid.proofs.schedule import Terms

app = typer.Typer(no_args_is_help=True)

#: Blocks that `history` reads unless it is told where to begin: an hour of them.
RECENT_BLOCKS: Final = 1_800


@app.command()
def challenge(
    object_hex: audit_options.ObjectArgument,
    node: audit_options.NodeUrls,
    at: audit_options.Height = None,
    blocks: audit_options.Blocks = audit_options.DEFAULT_BLOCKS,
    probability: audit_options.Probability = None,
    fragments: audit_options.Fragments = audit_options.DEFAULT_ASKED,
    genesis: audit_options.GenesisHash = None,
    as_json: options.AsJson = False,
) -> None:
    """Say what the chain asks of an object in a round, and what its custodian committed to."""
    wanted = object_id(object_hex)
    terms = audit_options.terms(blocks, probability, fragments)

    async def run() -> dict[str, Any]:
        async with audit_options.chain_of(node, genesis) as chain:
            known = await auditing.committed(chain, wanted)
            return _asked(known, await auditing.beacon_at(chain, known, at), terms)

    output.result(asyncio.run(run()), as_json=as_json)


@app.command()
def verify(
    object_hex: audit_options.ObjectArgument,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The proof bundle.")],
    node: audit_options.NodeUrls,
    at: Annotated[
        int | None, typer.Option("--at", min=1, help="The round that you asked for; default: any.")
    ] = None,
    blocks: audit_options.Blocks = audit_options.DEFAULT_BLOCKS,
    probability: audit_options.Probability = None,
    fragments: audit_options.Fragments = audit_options.DEFAULT_ASKED,
    genesis: audit_options.GenesisHash = None,
    as_json: options.AsJson = False,
) -> None:
    """Find the verdict on a proof bundle anew; ends with 0 only when every node asked has proved."""
    wanted = object_id(object_hex)
    terms = audit_options.terms(blocks, probability, fragments)

    async def run() -> tuple[Bundle, Verified]:
        read = Bundle.decode(await audit_options.read_file(bundle, MAX_BUNDLE_LEN))
        async with audit_options.chain_of(node, genesis) as chain:
            return read, await auditing.verify_bundle(
                chain, read, terms, object_id=wanted, height=at, threads=audit_options.THREADS
            )

    read, verified = asyncio.run(run())
    output.result(_verdict(read, verified), as_json=as_json)
    verified.require_passed()


@app.command()
def history(
    object_hex: audit_options.ObjectArgument,
    node: audit_options.NodeUrls,
    start: Annotated[
        int | None, typer.Option("--from", min=0, help="First block; default: an hour ago.")
    ] = None,
    end: Annotated[int | None, typer.Option("--to", min=0, help="Last block; default: the last.")] = None,
    genesis: audit_options.GenesisHash = None,
    as_json: options.AsJson = False,
) -> None:
    """List what an object's custodian committed to and reported, from the chain's events."""
    wanted = object_id(object_hex)

    async def run() -> dict[str, Any]:
        async with audit_options.chain_of(node, genesis) as chain:
            return await _history(chain, wanted, start, end)

    output.result(asyncio.run(run()), as_json=as_json)


def _asked(known: Committed, beacon: Beacon, terms: Terms) -> dict[str, Any]:
    numbers = beacon.selected(fragments_of(known.size), terms)
    places = [FragmentPlace.numbered(known.object_id, number) for number in numbers]
    return {
        "object": known.object_id.hex(),
        "genesis": known.genesis_hash.hex(),
        "custodian": encode_account(known.custodian),
        "committed_at": known.proof.committed_at,
        "commitment": known.proof.tags.hex(),
        "key": known.proof.key.hex(),
        "round": beacon.height,
        "first_block": beacon.height - len(beacon.block_hashes) + 1,
        "blocks_asked": terms.blocks,
        "fragments": [
            {"number": number, "segment": place.segment, "index": place.index}
            for number, place in zip(numbers, places, strict=True)
        ],
    }


def _verdict(bundle: Bundle, verified: Verified) -> dict[str, Any]:
    return {
        "object": bundle.object_id.hex(),
        "bundle": bundle.digest().hex(),
        "custodian": encode_account(verified.custodian),
        "reported": verified.reported,
        "blocks_since": verified.finalized - bundle.height,
        **audit_options.findings(verified.verdict),
    }


async def _history(
    chain: SubstrateChain, wanted: bytes, start: int | None, end: int | None
) -> dict[str, Any]:
    stored = await chain.stored_object(wanted)
    if stored is None:
        raise ObjectUnknown("the chain knows no object with this id; check the id")
    head = (await chain.finalized_head()).number
    last = head if end is None else min(end, head)
    first = max(stored.stored_at, last - RECENT_BLOCKS + 1) if start is None else start
    told = await auditing.history(chain, wanted, first, last)
    return {
        "object": wanted.hex(),
        "custodian": encode_account(stored.custodian),
        "stored_at": stored.stored_at,
        "from": first,
        "to": last,
        "events": [_event(each) for each in told],
    }


def _event(told: Told) -> dict[str, Any]:
    facts = {name: _plain(name, value) for name, value in told.facts.items()}
    return {"block": told.height, "event": told.name, **facts}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return encode_account(value) if name == "custodian" else value.hex()
    return value.value if isinstance(value, Enum) else value
