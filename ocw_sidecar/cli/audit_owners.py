"""`caregrid audit commit` and `prove`: what an object's custodian does."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caregrid import auditing
from caregrid.chain.calls import report_integrity
from caregrid.client import EmrClient
from caregrid.errors import CommitmentMismatch, CommitmentUnknown
from caregrid.profile import Profile
from caregrid.proofs.tag_list import MAX_LIST_LEN, TagList
from caregrid.proofs.verdict import judge
from ocw_sidecar.cli import audit_options, options, output
from ocw_sidecar.cli.storage_opening import object_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from caregrid.auditing import FailoverProvingStore, Verified
    from caregrid.chain import IntegrityReport
    from caregrid.proofs.podr2 import PublicKey, SecretKey
    from caregrid.proofs.schedule import Terms

app = typer.Typer(no_args_is_help=True)

TagListPath = Annotated[Path, typer.Option("--list", help="The list of tags, which `commit` writes.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Custodian:
    client: EmrClient
    proving: FailoverProvingStore
    key: SecretKey


@app.command()
def commit(
    object_hex: audit_options.ObjectArgument,
    key: audit_options.KeyFile,
    tag_list: TagListPath,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Tag an object, give the tags to its storage nodes, and commit to them on the chain.

    Again with the same key, it gives tags to nodes that have none, as after a repair; the commitment stays.
    """
    wanted = object_id(object_hex)

    async def run() -> dict[str, Any]:
        async with _custodian(profile, key, make=True) as custodian:
            return await _commit(custodian, wanted, tag_list)

    output.result(asyncio.run(run()), as_json=as_json)


@app.command()
def prove(
    object_hex: audit_options.ObjectArgument,
    key: audit_options.KeyFile,
    tag_list: TagListPath,
    bundle: Annotated[Path, typer.Option("--out", help="File to write the proof bundle to.")],
    at: audit_options.Height = None,
    blocks: audit_options.Blocks = audit_options.DEFAULT_BLOCKS,
    probability: audit_options.Probability = None,
    fragments: audit_options.Fragments = audit_options.DEFAULT_ASKED,
    report: Annotated[bool, typer.Option(help="Report the outcome to the chain.")] = False,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Ask an object's storage nodes what a round asks for, and write what they answer as a proof bundle."""
    wanted = object_id(object_hex)
    terms = audit_options.terms(blocks, probability, fragments)

    async def run() -> tuple[dict[str, Any], Verified]:
        async with _custodian(profile, key, make=False) as custodian:
            tags = TagList.decode(await audit_options.read_file(tag_list, MAX_LIST_LEN))
            return await _prove(custodian, wanted, tags, at, terms, out=bundle, report=report)

    told, verified = asyncio.run(run())
    output.result(told, as_json=as_json)
    verified.require_passed()


@asynccontextmanager
async def _custodian(profile: Path, key_file: Path, *, make: bool) -> AsyncIterator[_Custodian]:
    gateways, territory = (loaded := Profile.load(profile)).gateways, loaded.territory
    key = await audit_options.proof_key(key_file, make=make)
    async with await EmrClient.from_profile(profile) as client:
        identity = client.identity
        proving = auditing.open_proving_store(gateways, identity.account, identity.sign, territory)
        try:
            yield _Custodian(client=client, proving=proving, key=key)
        finally:
            await proving.close()


async def _commit(custodian: _Custodian, wanted: bytes, tag_list: Path) -> dict[str, Any]:
    client, key = custodian.client, custodian.key
    tagged = await auditing.tag_stored(
        wanted, client.store, custodian.proving, key, threads=audit_options.THREADS
    )
    await audit_options.write_file(tag_list, tagged.tags.encode())
    await _commit_once(client, tagged.tags, key.public_key())
    known = await auditing.committed(client.chain, wanted)
    return {
        "object": wanted.hex(),
        "committed_at": known.proof.committed_at,
        "commitment": known.proof.tags.hex(),
        "fragments": len(tagged.tags.fragments),
        "untaken": [f"{place.segment}/{place.index}" for place in tagged.untaken],
    }


async def _commit_once(client: EmrClient, tags: TagList, key: PublicKey) -> None:
    # A new commitment would put off the first round.
    with suppress(CommitmentUnknown, CommitmentMismatch):
        auditing.require_committed(await auditing.committed(client.chain, tags.object_id), tags, key)
        return
    await client.submitter.submit(auditing.commit_call(client.organisation, tags, key))


async def _prove(
    custodian: _Custodian,
    wanted: bytes,
    tags: TagList,
    at: int | None,
    terms: Terms,
    *,
    out: Path,
    report: bool,
) -> tuple[dict[str, Any], Verified]:
    client, public = custodian.client, custodian.key.public_key()
    known = await auditing.committed(client.chain, wanted)
    auditing.require_committed(known, tags, public)
    beacon = await auditing.beacon_at(client.chain, known, at)
    bundle = await auditing.ask_round(custodian.proving, beacon, tags, public, terms)
    await audit_options.write_file(out, bundle.encode())
    verdict = await asyncio.to_thread(
        judge, bundle, known.facts(beacon), terms, threads=audit_options.THREADS
    )
    reported = report and await _report(client, auditing.report_of(bundle, verdict))
    verified = auditing.Verified(
        verdict=verdict, custodian=known.custodian, finalized=known.finalized, reported=reported
    )
    told = {"object": wanted.hex(), "bundle": bundle.digest().hex(), "reported": reported}
    return {**told, **audit_options.findings(verdict)}, verified


async def _report(client: EmrClient, report: IntegrityReport) -> bool:
    # The chain leaves a report out when a later challenge has been reported already.
    receipt = await client.submitter.submit(report_integrity(client.organisation, [report]))
    return any(event.name == "IntegrityReported" for event in receipt.events)
