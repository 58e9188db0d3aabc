"""`caregrid grants`: who may read what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from caregrid.chain.calls import PURPOSES
from caregrid.chain.port import RecordScope
from caregrid.client import DEFAULT_GRANT_BLOCKS
from caregrid.errors import InputInvalid
from caregrid.keys import encode_account
from ocw_sidecar.cli import options, output

if TYPE_CHECKING:
    from caregrid.client import EmrClient

app = typer.Typer(no_args_is_help=True, help="Give and withdraw access.")


@app.command()
def add(
    record: options.RecordArgument,
    grantee: options.AccountArgument,
    blocks: Annotated[
        int, typer.Option(min=1, help="How long, in blocks of 2 seconds.")
    ] = DEFAULT_GRANT_BLOCKS,
    purpose: Annotated[str, typer.Option(help=f"One of {', '.join(PURPOSES)}.")] = "Treatment",
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Let an account read a record; an existing grant is replaced."""
    record_id, account = options.record_id(record), options.account(grantee)
    if purpose not in PURPOSES:
        raise InputInvalid(f"a purpose is one of {', '.join(PURPOSES)}")

    async def work(client: EmrClient) -> dict[str, Any]:
        receipt = await client.grant(record_id, account, blocks=blocks, purpose=purpose)
        return {"record": record, "grantee": encode_account(account), "block": receipt.block.number}

    output.result(options.with_client(profile, work), as_json=as_json)


@app.command()
def revoke(
    record: options.RecordArgument,
    grantee: options.AccountArgument,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Withdraw an account's grant; what it has read it keeps."""
    record_id, account = options.record_id(record), options.account(grantee)

    async def work(client: EmrClient) -> dict[str, Any]:
        receipt = await client.revoke(record_id, account)
        return {"record": record, "grantee": encode_account(account), "block": receipt.block.number}

    output.result(options.with_client(profile, work), as_json=as_json)


@app.command("list")
def list_grants(
    record: options.RecordArgument,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Say who may read a record, and who might before his grant expired."""
    record_id = options.record_id(record)

    async def work(client: EmrClient) -> dict[str, Any]:
        found = await client.grants(record_id)
        head = await client.chain.finalized_head()
        listed = [
            {
                "grantee": encode_account(grant.grantee),
                "covers": "record" if isinstance(grant.scope, RecordScope) else "patient",
                "expires_at": grant.expires_at,
                "live": grant.is_live(head.number),
                "purpose": grant.purpose,
                "key": type(grant.key).__name__.lower(),
            }
            for grant in found
        ]
        return {"record": record, "finalized": head.number, "grants": listed}

    output.result(options.with_client(profile, work), as_json=as_json)
