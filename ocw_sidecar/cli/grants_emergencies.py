"""`caregrid grants emergency` and `emergency-members`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from caregrid.chain.port import EmergencyReason
from caregrid.keys import encode_account
from ocw_sidecar.cli import options, output
from ocw_sidecar.cli.grants_places import MaybeRecord, PatientOption, done, scope_of

if TYPE_CHECKING:
    from caregrid.client import EmrClient

app = typer.Typer()


@app.command()
def emergency(
    reason: Annotated[
        str, typer.Option(help=f"One of {', '.join(EmergencyReason)}; it stands on the chain.")
    ],
    record: MaybeRecord = None,
    patient: PatientOption = None,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Break the glass: read at once and for four hours; who decides for the patient is told."""
    scope = scope_of(record, patient)

    async def work(client: EmrClient) -> dict[str, Any]:
        receipt = await client.access.open_emergency(scope, reason=reason)
        found = await client.chain.grant(scope, client.identity.account)
        until = {} if found is None else {"expires_at": found.expires_at}
        return done(scope, client.identity.account, receipt, **until)

    output.result(options.with_client(profile, work), as_json=as_json)


@app.command("emergency-members")
def emergency_members(
    accounts: Annotated[
        list[str] | None, typer.Argument(metavar="[ACCOUNT]...", help="All of them; none: nobody may.")
    ] = None,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Name who may break the glass, instead of those so far; the profile is the organisation's own."""
    members = [options.account(each) for each in accounts or []]

    async def work(client: EmrClient) -> dict[str, Any]:
        receipt = await client.access.set_emergency_members(members)
        return {"members": [encode_account(each) for each in members], "block": receipt.block.number}

    output.result(options.with_client(profile, work), as_json=as_json)
