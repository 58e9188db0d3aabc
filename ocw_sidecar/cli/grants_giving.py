"""`caregrid grants add`, `extend`, `revoke` and `list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from caregrid.access import DEFAULT_GRANT_BLOCKS, Handover
from caregrid.chain.calls import PURPOSES
from caregrid.chain.port import RecordScope
from caregrid.errors import InputInvalid
from caregrid.keys import encode_account
from ocw_sidecar.cli import options, output
from ocw_sidecar.cli.grants_places import (
    Blocks,
    MaybeRecord,
    PatientOption,
    Words,
    described,
    done,
    scope_and_account,
    scope_of,
)

if TYPE_CHECKING:
    from caregrid.chain.port import Grant
    from caregrid.client import EmrClient

app = typer.Typer()


@app.command()
def add(
    words: Words,
    patient: PatientOption = None,
    blocks: Blocks = DEFAULT_GRANT_BLOCKS,
    purpose: Annotated[str, typer.Option(help=f"One of {', '.join(PURPOSES)}.")] = "Treatment",
    inline: Annotated[bool, typer.Option("--inline", help="Put the key into the grant.")] = False,
    pending: Annotated[
        bool,
        typer.Option("--pending", help="Give no key: the custodian delivers it, also to who has none yet."),
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until the key is delivered.")] = False,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Let an account read a record, or all of a patient's; an existing grant is replaced."""
    scope, account = scope_and_account(words, patient)
    if inline and pending:
        raise InputInvalid("a key is either inline or pending")
    handover = Handover.INLINE if inline else Handover.PENDING if pending else None

    async def work(client: EmrClient) -> dict[str, Any]:
        receipt = await client.access.grant(scope, account, blocks=blocks, purpose=purpose, handover=handover)
        delivered = await client.access.delivered(scope, account) if wait else None
        found = delivered or await client.chain.grant(scope, account)
        return done(scope, account, receipt, **({} if found is None else _terms(found)))

    output.result(options.with_client(profile, work), as_json=as_json)


@app.command()
def extend(
    words: Words,
    patient: PatientOption = None,
    blocks: Blocks = DEFAULT_GRANT_BLOCKS,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Let a grant last for so many blocks from now; its purpose and its key stay."""
    scope, account = scope_and_account(words, patient)

    async def work(client: EmrClient) -> dict[str, Any]:
        receipt = await client.access.extend(scope, account, blocks=blocks)
        found = await client.chain.grant(scope, account)
        return done(scope, account, receipt, **({} if found is None else _terms(found)))

    output.result(options.with_client(profile, work), as_json=as_json)


@app.command()
def revoke(
    words: Words,
    patient: PatientOption = None,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Withdraw an account's grant; what it has read it keeps."""
    scope, account = scope_and_account(words, patient)

    async def work(client: EmrClient) -> dict[str, Any]:
        return done(scope, account, await client.access.revoke(scope, account))

    output.result(options.with_client(profile, work), as_json=as_json)


@app.command("list")
def list_grants(
    record: MaybeRecord = None,
    patient: PatientOption = None,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Say who may read a record, or a patient's records, and who might before his grant expired."""
    scope = scope_of(record, patient)

    async def work(client: EmrClient) -> dict[str, Any]:
        found = await client.access.grants_on(scope)
        head = (await client.chain.finalized_head()).number
        listed = [
            {
                "grantee": encode_account(grant.grantee),
                "covers": "record" if isinstance(grant.scope, RecordScope) else "patient",
                "live": grant.is_live(head),
                "purpose": str(grant.purpose),
                **_terms(grant),
            }
            for grant in found
        ]
        return {**described(scope), "finalized": head, "grants": listed}

    output.result(options.with_client(profile, work), as_json=as_json)


def _terms(grant: Grant) -> dict[str, Any]:
    return {"expires_at": grant.expires_at, "key": type(grant.key).__name__.lower()}
