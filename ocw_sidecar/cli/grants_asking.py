"""`caregrid grants request`, `requests`, `deny`, `releases` and `publish-key`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caregrid.access import DEFAULT_REQUEST_BLOCKS
from caregrid.chain.calls import PURPOSES
from caregrid.chain.port import PatientScope, RecordScope
from caregrid.keys import encode_account
from ocw_sidecar.cli import options, output
from ocw_sidecar.cli.grants_places import Blocks, MaybeRecord, PatientOption, described, done, scope_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from caregrid.chain.port import AccessRequest, Scope
    from caregrid.client import EmrClient
    from caregrid.statuses import KeyRelease

#: Lines that one command prints.
MAX_LISTED: Final = 1_000

app = typer.Typer()


@app.command()
def request(
    record: options.RecordArgument,
    blocks: Blocks = DEFAULT_REQUEST_BLOCKS,
    purpose: Annotated[str, typer.Option(help=f"One of {', '.join(PURPOSES)}.")] = "Treatment",
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Ask whoever decides for the patient for access to a record; he and the custodian are told."""
    scope = RecordScope(record_id=options.record_id(record))

    async def work(client: EmrClient) -> dict[str, Any]:
        receipt = await client.access.request(scope.record_id, purpose=purpose, blocks=blocks)
        return done(scope, client.identity.account, receipt)

    output.result(options.with_client(profile, work), as_json=as_json)


@app.command()
def requests(
    record: MaybeRecord = None,
    patient: PatientOption = None,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Say who asks for access to a record, or to any of a patient's."""
    scope = scope_of(record, patient)

    async def work(client: EmrClient) -> dict[str, Any]:
        found, more = await _first(_requests(client, scope))
        listed = [
            {
                "record": each.record_id.hex(),
                "requester": encode_account(each.requester),
                "purpose": str(each.purpose),
                "expires_at": each.expires_at,
            }
            for each in found
        ]
        return {**described(scope), "requests": listed, "more": more}

    output.result(options.with_client(profile, work), as_json=as_json)


@app.command()
def deny(
    record: options.RecordArgument,
    requester: options.AccountArgument,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Refuse a request; who asked is told."""
    scope, account = RecordScope(record_id=options.record_id(record)), options.account(requester)

    async def work(client: EmrClient) -> dict[str, Any]:
        return done(scope, account, await client.access.deny(scope.record_id, account))

    output.result(options.with_client(profile, work), as_json=as_json)


@app.command()
def releases(
    record: options.RecordArgument,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Say to whom the custodian's sidecar handed a record's key out, the newest first."""
    scope = RecordScope(record_id=options.record_id(record))

    async def work(client: EmrClient) -> dict[str, Any]:
        found, more = await _first(client.access.releases(scope.record_id))
        return {**described(scope), "releases": [_release(each) for each in found], "more": more}

    output.result(options.with_client(profile, work), as_json=as_json)


@app.command("publish-key")
def publish_key(
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Register the profile's encryption key on the chain, so that keys can be wrapped to it."""

    async def work(client: EmrClient) -> dict[str, Any]:
        version = await client.publish_encryption_key()
        return {"account": encode_account(client.identity.account), "key_version": version}

    output.result(options.with_client(profile, work), as_json=as_json)


async def _requests(client: EmrClient, scope: Scope) -> AsyncGenerator[AccessRequest]:
    if isinstance(scope, PatientScope):
        async for each in client.access.requests_for(scope.patient_id):
            yield each
        return
    for each in await client.access.requests(scope.record_id):
        yield each


async def _first(found: AsyncGenerator[Any]) -> tuple[list[Any], bool]:
    """Return what can be printed, and whether there is more."""
    listed: list[Any] = []
    try:
        async for each in found:
            if len(listed) == MAX_LISTED:
                return listed, True
            listed.append(each)
    finally:
        await found.aclose()
    return listed, False


def _release(release: KeyRelease) -> dict[str, Any]:
    return {
        "account": encode_account(release.account),
        "at": output.time_of(release.released_at),
        "ground": release.ground,
        "emergency": release.emergency,
    }
