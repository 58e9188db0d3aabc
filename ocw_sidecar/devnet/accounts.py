"""The people of a development network, on Substrate's well-known accounts, which its genesis endows."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final

from caregrid.chain import SubstrateSubmitter, calls
from caregrid.keys import FileKeyStore, Identity, KdfCost, encode_account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.chain import Call
    from ocw_sidecar.devnet.layout import DevnetLayout

#: Who is who. `hospital` is the organisation; `operator` is its sidecar, `clinic` its application.
ROLES: Final = {"hospital": "//Bob", "operator": "//Charlie", "clinic": "//Dave", "reader": "//Eve"}

#: The keys are well known, so a costly passphrase hash would protect nothing.
_CHEAP: Final = KdfCost(memory_kib=64, iterations=1, lanes=1)


def create(layout: DevnetLayout) -> dict[str, Identity]:
    """Write key files for every role, the custodian's key store, and the passphrase that opens them."""
    passphrase = secrets.token_urlsafe(24)
    layout.passphrase.touch(mode=0o600)
    layout.passphrase.write_text(passphrase)
    identities = {name: Identity.from_uri(uri) for name, uri in ROLES.items()}
    for name, identity in identities.items():
        identity.save(layout.identity(name), passphrase, cost=_CHEAP)
    layout.sidecar.mkdir(mode=0o700, parents=True, exist_ok=True)
    FileKeyStore.create(layout.sidecar / "keystore.json", passphrase, cost=_CHEAP)
    return identities


async def register(urls: Sequence[str], people: Mapping[str, Identity]) -> None:
    """Make the hospital an organisation and register the readers' encryption keys, to finality."""
    operators = [people["operator"].account, people["clinic"].account]
    wanted = {"hospital": calls.register_organisation(operators)} | {
        name: calls.set_encryption_key(people[name].encryption.public_key) for name in ("clinic", "reader")
    }
    async with asyncio.TaskGroup() as group:
        for name, call in wanted.items():
            group.create_task(_submit(urls, people[name], call))


async def _submit(urls: Sequence[str], who: Identity, call: Call) -> None:
    submitter = SubstrateSubmitter(urls, account=who.account, sign=who.sign)
    try:
        await submitter.submit(call)
    finally:
        await submitter.close()


def write_profiles(
    layout: DevnetLayout, people: Mapping[str, Identity], *, chain: str, gateway: str, sidecar: str | None
) -> None:
    """Write a profile for the hospital's application and one for the reader."""
    common = [
        f'chain_urls = ["{chain}"]',
        f'gateway_url = "{gateway}"',
        'passphrase_file = "passphrase"',
    ]
    organisation = f'organisation = "{encode_account(people["hospital"].account)}"'
    # The reader signs what he asks the sidecar.
    asked = [] if sidecar is None else [f'sidecar_url = "{sidecar}"']
    token = [] if sidecar is None else ['token_file = "clinic.token"']
    _write(layout, "clinic", [*common, organisation, *asked, *token])
    _write(layout, "reader", [*common, *asked])


def _write(layout: DevnetLayout, name: str, lines: Sequence[str]) -> None:
    identity = f'identity_file = "{layout.identity(name).name}"'
    layout.profile(name).write_text("\n".join([*lines, identity]) + "\n")
