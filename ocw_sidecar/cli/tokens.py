"""`caregrid sidecar token`: who may use the sidecar's API without signing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from caregrid.errors import InputInvalid, NotFound
from caregrid.keys import encode_account
from ocw_sidecar.adapters.opening import open_database
from ocw_sidecar.adapters.sql.callers import SqlCallers
from ocw_sidecar.callers.items import ALL_SCOPES, Scope, Token
from ocw_sidecar.callers.tokens import TOKEN_ID_LEN, draw_token
from ocw_sidecar.cli import options, output
from ocw_sidecar.settings import Settings

if TYPE_CHECKING:
    from ocw_sidecar.callers.port import Callers

T = TypeVar("T")

#: A token that lives longer may as well have no end.
MAX_DAYS: Final = 3650

app = typer.Typer(help="Make, list and revoke tokens for applications. Without a command: make one.")


@app.callback(invoke_without_command=True)
def token(context: typer.Context, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Make a token with every scope; it is shown once and kept only as a digest."""
    if context.invoked_subcommand is None:
        create(config=config, as_json=as_json)


@app.command()
def create(
    config: options.Config = None,
    scope: Annotated[list[Scope] | None, typer.Option(help="Give it again for more; default: all.")] = None,
    account: Annotated[
        str | None, typer.Option(help="The only account it speaks for: SS58, or 0x and hex.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=MAX_DAYS, help="How long it is good.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a token; it is shown once and kept only as a digest."""
    now = datetime.now(UTC)
    text, kept = draw_token(
        now=now,
        scopes=frozenset(scope) if scope else ALL_SCOPES,
        account=None if account is None else options.account(account),
        expires_at=None if days is None else now + timedelta(days=days),
    )
    _with_callers(config, lambda callers: callers.add(kept))
    output.result({"token": text, "id": kept.token_id.hex()}, as_json=as_json)


@app.command("list")
def list_tokens(config: options.Config = None, as_json: options.AsJson = False) -> None:
    """List the tokens by their ids, with what each may do."""
    kept = _with_callers(config, lambda callers: callers.tokens())
    now = datetime.now(UTC)
    output.result({"tokens": [_shown(each, now) for each in kept]}, as_json=as_json)


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it: 32 hex digits.")],
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """End a token; a running sidecar refuses it within seconds."""
    named = _token_id(token_id)
    ended = _with_callers(config, lambda callers: callers.revoke(named, now=datetime.now(UTC)))
    if not ended:
        raise NotFound("no token that is not revoked has this id; `caregrid sidecar token list` shows them")
    output.result({"revoked": named.hex()}, as_json=as_json)


def _with_callers(config: Path | None, work: Callable[[Callers], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_database(Settings.load(config)) as database:
            return await work(SqlCallers(database))

    return asyncio.run(run())


def _shown(token: Token, now: datetime) -> dict[str, Any]:
    state = "revoked" if token.revoked_at is not None else "good" if token.is_good(now) else "expired"
    return {
        "id": token.token_id.hex(),
        "state": state,
        "scopes": " ".join(sorted(token.scopes)),
        "account": None if token.account is None else encode_account(token.account),
        "created": token.created_at.isoformat(timespec="seconds"),
        "expires": None if token.expires_at is None else token.expires_at.isoformat(timespec="seconds"),
        "used": None if token.used_on is None else token.used_on.date().isoformat(),
    }


def _token_id(text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != TOKEN_ID_LEN:
        raise InputInvalid(f"a token's id is {2 * TOKEN_ID_LEN} hex digits")
    return value
