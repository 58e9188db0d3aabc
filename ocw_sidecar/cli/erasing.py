"""`caregrid emr erase|erasure`: have a record erased for ever, and see the receipts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caregrid.erasures import ReasonCode
from caregrid.errors import InputInvalid
from caregrid.keys import encode_account
from ocw_sidecar.cli import options, output

if TYPE_CHECKING:
    from caregrid.client import EmrClient
    from caregrid.erasures import ErasureReceipt, ErasureStatus

#: A call up to finality, and the records of its pack before it.
WAIT_TIMEOUT_S: Final = 300.0
#: What has to be typed; no one types it by mistake.
CONFIRMATION: Final = "erase"
_WARNING: Final = (
    "Every key that opens this record is destroyed at once, here and for everybody who was granted it; "
    "nobody brings it back. Who has read it keeps what he read."
)

app = typer.Typer()


@app.command()
def erase(
    record: options.RecordArgument,
    reason: Annotated[
        ReasonCode | None, typer.Option("--reason-code", help="Stands in the receipt; it names nobody.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask for no confirmation; for scripts.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until the chain says that it is erased.")] = False,
    timeout: Annotated[
        float, typer.Option(help="How long to wait, in seconds; the sidecar goes on after that, too.")
    ] = WAIT_TIMEOUT_S,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Have the custodian's sidecar erase a record for ever; done again, it says how far it is."""
    record_id = options.record_id(record)
    if not yes:
        _confirm()

    async def work(client: EmrClient) -> ErasureStatus:
        decided = await client.erase(record_id, reason=reason)
        return await client.wait_erased(record_id, timeout_s=timeout) if wait else decided

    output.result(_described(options.with_client(profile, work)), as_json=as_json)


@app.command()
def erasure(
    record: options.RecordArgument,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Say how far a record's erasure is, with its receipts; each is checked against its digest."""
    record_id = options.record_id(record)
    found = options.with_client(profile, lambda client: client.erasure(record_id))
    output.result(_described(found), as_json=as_json)


def _confirm() -> None:
    output.notes.print(f"{_WARNING}\nType '{CONFIRMATION}' to go on.")
    if sys.stdin.readline().strip() != CONFIRMATION:
        raise InputInvalid("not confirmed, so nothing was erased; give --yes in scripts")


def _described(found: ErasureStatus) -> dict[str, Any]:
    return {
        "record": found.record_id.hex(),
        "state": found.state,
        "decided": output.time_of(found.decided_at),
        "object": None if found.object_id is None else found.object_id.hex(),
        "waits_for": found.waits_for,
        "custodian": encode_account(found.custodian),
        "receipts": [_receipt(each) for each in found.receipts],
    }


def _receipt(given: ErasureReceipt) -> dict[str, Any]:
    facts = given.facts()
    told = {name: value for name, value in facts.items() if name not in {"record", "at"}}
    return {**told, "at": output.time_of(facts["at"]), "digest": given.digest.hex()}
