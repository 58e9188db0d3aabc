"""What `doctor` finds."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from caregrid.errors import CaregridError, ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from caregrid.chain import Chain

_GIB: Final = 1024**3
_PLANCKS: Final = 10**12


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    ok: bool
    detail: str  #: what is so, or what to do


async def find(name: str, check: Awaitable[str]) -> Finding:
    """Return what a check came to; its error is what to do."""
    try:
        return Finding(check=name, ok=True, detail=await check)
    except CaregridError as fault:
        return Finding(check=name, ok=False, detail=str(fault))


async def balance_of(chain: Chain, account: bytes) -> str:
    """Say what an account holds.

    Raises:
        ConfigInvalid: nothing.
    """
    balance = await chain.balance(account)
    if balance == 0:
        raise ConfigInvalid("the account holds no tokens, so it can pay no fee; transfer some to it")
    return f"{balance / _PLANCKS:.3f} tokens free"


async def role_of(chain: Chain, account: bytes, organisation: bytes) -> str:
    """Say whether an account may act for an organisation.

    Raises:
        ConfigInvalid: it may not.
    """
    if organisation == account:
        return "acts for itself"
    registered = await chain.organisation(organisation)
    if registered is None:
        raise ConfigInvalid("the organisation is not registered on the chain; call `register_organisation`")
    if account not in registered.operators:
        raise ConfigInvalid("the account is no operator of the organisation; it must call `set_operators`")
    return "operator of its organisation"


def disk_at(folder: Path, minimum: int) -> Finding:
    """Say how much disk is free where a folder is, or will be."""
    folder = folder.absolute()
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / _GIB:.1f} GiB free"
    if free < minimum:
        detail += f"; less than {minimum / _GIB:.1f} GiB: free some space"
    return Finding(check="disk", ok=free >= minimum, detail=detail)
