"""Opening the real outside world from settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caregrid.chain import SubstrateChain, SubstrateSubmitter
from caregrid.errors import ConfigInvalid, KeyStoreLocked
from caregrid.keys import FileKeyStore, Identity, KdfCost
from caregrid.storage.failover import FailoverStore
from ocw_sidecar.adapters.proving import proof_key
from ocw_sidecar.adapters.real import operator_store, real_ports
from ocw_sidecar.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE = "for tests only"
CHEAP = KdfCost(memory_kib=64, iterations=1, lanes=1)


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    """An operator, whose files lie in the home folder."""
    made = Identity.generate()
    made.save(tmp_path / "operator.json", PASSPHRASE, cost=CHEAP)
    FileKeyStore.create(tmp_path / "keystore.json", PASSPHRASE, cost=CHEAP)
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n")
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with everything in its usual place."""
    return Settings.load(home=tmp_path, organisation=bytes(32))


async def test_ports_act_for_the_operator(identity: Identity, settings: Settings) -> None:
    """The operator's account submits, and opening needs no chain or gateway to answer."""
    async with real_ports(settings) as ports:
        assert identity.account == ports.submitter.account
        assert isinstance(ports.chain, SubstrateChain)
        assert isinstance(ports.submitter, SubstrateSubmitter)
        assert isinstance(ports.store, FailoverStore)


async def test_every_gateway_of_the_settings_is_used(identity: Identity, tmp_path: Path) -> None:
    """With the ports, and alone, which needs no key store."""
    assert identity.account
    urls = ["http://127.0.0.1:1", "http://127.0.0.1:2"]
    settings = Settings.load(home=tmp_path, organisation=bytes(32), gateway_urls=urls)
    (tmp_path / "keystore.json").unlink()
    async with operator_store(settings) as store:
        assert isinstance(store, FailoverStore)
        assert urls == [each.name.rstrip("/") for each in store.gateways()]


async def test_key_store_is_the_one_on_disk(identity: Identity, settings: Settings) -> None:
    """What the sidecar wraps, the key store file with its passphrase unwraps."""
    assert identity.account
    async with real_ports(settings) as ports:
        wrapped = ports.key_store.wrap(bytes(16), b"k" * 32)
    again = FileKeyStore.open(settings.key_store_path, PASSPHRASE)
    assert b"k" * 32 == again.unwrap(bytes(16), wrapped)


async def test_proofs_are_opened_with_a_key_of_their_own(identity: Identity, settings: Settings) -> None:
    """For who runs workers; not for who only looks, nor where proofs are switched off."""
    assert identity.account
    async with real_ports(settings) as ports:
        assert None is ports.proving
    assert not settings.proof_key_path.exists()
    for _ in range(2):
        async with real_ports(settings, proving=True) as ports:
            assert ports.proving is not None
            assert proof_key(settings.proof_key_path).encode() == ports.proving.secret.encode()
            assert ports.proving.secret.public_key().digest == ports.proving.public.digest
    off = Settings.load(home=settings.home, organisation=bytes(32), workers={"integrity": {"proofs": False}})
    async with real_ports(off, proving=True) as ports:
        assert None is ports.proving


@pytest.mark.parametrize("missing", ["operator.json", "keystore.json", "passphrase"])
async def test_missing_file_is_named(identity: Identity, settings: Settings, missing: str) -> None:
    """Whichever file is not there, the message says which."""
    assert identity.account
    (settings.home / missing).unlink()
    with pytest.raises(ConfigInvalid, match=missing):
        async with real_ports(settings):
            pass


async def test_wrong_passphrase_is_refused(identity: Identity, settings: Settings) -> None:
    """Keys stay shut, and the passphrase is not repeated."""
    assert identity.account
    settings.passphrase_path.write_text("not the passphrase")
    with pytest.raises(KeyStoreLocked) as caught:
        async with real_ports(settings):
            pass
    assert "not the passphrase" not in str(caught.value)
