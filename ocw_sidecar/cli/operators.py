"""`caregrid operators`: the accounts that may act for an organisation, by the organisation's own key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from caregrid.keys import encode_account
from ocw_sidecar.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caregrid.client import EmrClient

app = typer.Typer(no_args_is_help=True)


@app.callback()
def operators() -> None:
    """See and change who may act for an organisation; the profile names the organisation's own key."""


@app.command("list")
def list_operators(
    profile: options.ProfilePath = options.DEFAULT_PROFILE, as_json: options.AsJson = False
) -> None:
    """Show the accounts."""

    async def work(client: EmrClient) -> dict[str, Any]:
        return _shown(await client.operators.list())

    output.result(options.with_client(profile, work), as_json=as_json)


@app.command()
def add(
    account: options.AccountArgument,
    plancks: Annotated[
        int, typer.Option(min=0, help="Give it so many first, for fees and deposits; 10^12 are 1 CARE.")
    ] = 0,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Let an account act for the organisation, beside those who do."""
    wanted = options.account(account)

    async def work(client: EmrClient) -> dict[str, Any]:
        return _shown(await client.operators.add(wanted, plancks=plancks))

    output.result(options.with_client(profile, work), as_json=as_json)


@app.command()
def remove(
    account: options.AccountArgument,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Let an account act no more; what it had under way and is not yet in a block is refused."""
    unwanted = options.account(account)

    async def work(client: EmrClient) -> dict[str, Any]:
        return _shown(await client.operators.remove(unwanted))

    output.result(options.with_client(profile, work), as_json=as_json)


def _shown(accounts: Iterable[bytes]) -> dict[str, Any]:
    return {"operators": [encode_account(each) for each in sorted(accounts)]}
