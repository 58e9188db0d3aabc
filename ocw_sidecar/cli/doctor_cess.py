"""What `doctor` looks at on the CESS chain, where objects are stored on CESS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scalecodec.utils.ss58 import ss58_encode

from caregrid.cess.placement import SS58_PREFIX
from caregrid.errors import Unauthorised
from ocw_sidecar.adapters.cess import open_reader
from ocw_sidecar.cli.findings import Finding, find

if TYPE_CHECKING:
    from ocw_sidecar.adapters.cess import CessReader
    from ocw_sidecar.settings.cess import CessSettings


async def examine(settings: CessSettings, account: bytes) -> list[Finding]:
    """Look whether the chain answers and gateways may act for an account; nothing where none is named."""
    if not settings.is_used:
        return []
    async with open_reader(settings) as reader:
        return [
            await find("CESS chain", _chain(reader)),
            await find("gateway authorisation", _authorised(reader, settings, account)),
        ]


async def _chain(reader: CessReader) -> str:
    head = await reader.within(reader.chain.head())
    return f"block {head.number} is final; runtime {head.spec_version}"


async def _authorised(reader: CessReader, settings: CessSettings, account: bytes) -> str:
    operators = await reader.within(reader.chain.authorised(account))
    missing = [each for each in settings.gateway_accounts if each not in {*operators, account}]
    if missing:
        named = ", ".join(str(ss58_encode(each, SS58_PREFIX)) for each in missing)
        raise Unauthorised(
            f"the account has not authorised the gateway {named} on the CESS chain, so it refuses "
            "uploads; call `oss.authorize` with the account's key"
        )
    if settings.gateway_accounts:
        return f"all {len(settings.gateway_accounts)} gateways may use the account's space"
    if not operators:
        raise Unauthorised(
            "the account has authorised no gateway on the CESS chain, so all refuse uploads; "
            "call `oss.authorize` with the account's key, or name the gateway in "
            "`storage.cess.gateway_accounts` where it signs with this very account"
        )
    return (
        f"{len(operators)} accounts may use the account's space; "
        "name the gateways' in `storage.cess.gateway_accounts` to have them compared"
    )
