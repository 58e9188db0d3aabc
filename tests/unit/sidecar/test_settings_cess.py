"""How an operator names the CESS chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scalecodec.utils.ss58 import ss58_encode

from caregrid.errors import ConfigInvalid
from caregrid.keys import FileKeyStore, Identity, KdfCost
from ocw_sidecar.adapters.cess import CessProofs, CessStore
from ocw_sidecar.adapters.real import operator_store, real_ports
from ocw_sidecar.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

CHEAP = KdfCost(memory_kib=64, iterations=1, lanes=1)
GENESIS = "0x" + "ab" * 32
GATEWAY = bytes(range(32))


def test_no_chain_is_asked_by_default() -> None:
    """A local network has none."""
    assert not Settings.load(organisation=bytes(32)).storage.cess.is_used


def test_it_is_read_from_a_file(tmp_path: Path) -> None:
    """URLs, block 0 in hexadecimal, and gateways by their addresses on CESS."""
    file = tmp_path / "caregrid.toml"
    address = ss58_encode(GATEWAY, 11_330)
    file.write_text(
        f"[storage.cess]\nrpc_urls = ['ws://a', 'ws://b']\ngenesis = '{GENESIS}'\n"
        f"gateway_accounts = ['{address}']\n"
    )
    cess = Settings.load(file, organisation=bytes(32)).storage.cess
    assert (("ws://a", "ws://b"), b"\xab" * 32, (GATEWAY,)) == (
        cess.rpc_urls,
        cess.genesis,
        cess.gateway_accounts,
    )


def test_it_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists take commas, as everywhere."""
    monkeypatch.setenv("CAREGRID_STORAGE__CESS__RPC_URLS", "ws://a, ws://b")
    monkeypatch.setenv("CAREGRID_STORAGE__CESS__GENESIS", GENESIS)
    cess = Settings.load(organisation=bytes(32)).storage.cess
    assert (("ws://a", "ws://b"), b"\xab" * 32) == (cess.rpc_urls, cess.genesis)


@pytest.mark.parametrize(
    ("cess", "hint"),
    [
        ({"rpc_urls": ["ws://a"]}, "storage.cess.genesis"),
        ({"rpc_urls": ["ws://a"], "genesis": "0x12"}, "genesis"),
        ({"rpc_urls": ["ws://a"], "genesis": "words"}, "64 hex digits"),
        ({"gateway_accounts": ["nobody"]}, "gateway_accounts"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
def test_what_makes_no_sense_is_named(cess: dict[str, object], hint: str) -> None:
    """And what to do about it."""
    with pytest.raises(ConfigInvalid, match=hint):
        Settings.load(organisation=bytes(32), storage={"cess": cess})


async def test_storage_is_opened_with_its_chain(tmp_path: Path) -> None:
    """For the sidecar and the commands alike; nothing is contacted yet. Another kind of URL is refused."""
    Identity.generate().save(tmp_path / "operator.json", "many words", cost=CHEAP)
    FileKeyStore.create(tmp_path / "keystore.json", "many words", cost=CHEAP)
    (tmp_path / "passphrase").write_text("many words")

    def settings(url: str) -> Settings:
        cess = {"rpc_urls": [url], "genesis": GENESIS}
        return Settings.load(home=tmp_path, organisation=bytes(32), storage={"cess": cess})

    async with real_ports(settings("ws://127.0.0.1:1")) as ports:
        assert isinstance(ports.store, CessStore)
        assert isinstance(ports.proofs, CessProofs)
    async with operator_store(settings("ws://127.0.0.1:1")) as store:
        assert isinstance(store, CessStore)
    with pytest.raises(ConfigInvalid, match="no ws://"):
        async with operator_store(settings("ftp://127.0.0.1:1")):
            pass
