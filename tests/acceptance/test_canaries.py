"""A record's whole life on a network of its own, and then everything searched for what must not be there.

Content, its data key, the master key, every account's signing and decryption keys, the proof key, the
passphrase and the token are looked for in every file of the network (the sidecar's home, the storage nodes,
the chain's database, all logs), in the arguments and the environment of every process that was started, and
in each byte between sidecar and gateway and between sidecar and chain.
"""

from __future__ import annotations

import base64
import json
import secrets
import sqlite3
import threading
import tomllib
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from caregrid.keys import passphrase_file
from caregrid.keys.keyring import Keyring
from ocw_sidecar.adapters.opening import QUEUE_FILE
from ocw_sidecar.devnet import Devnet
from ocw_sidecar.settings import Settings
from tests.acceptance.conftest import Network
from tests.command_line import spawned_caregrid
from tests.wiretap import tapped, unmasked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ocw_sidecar.devnet.chain import ChainParts
    from tests.wiretap import Wiretap

#: Every process of this test has this in its environment; by it they are told from others.
MARK: Final = "CAREGRID_CANARY_TEST"
LOOK_S: Final = 0.02
#: So large that it goes through the spool, and that what passes the wire cannot be missed.
SCAN_SIZE: Final = 3 << 20
#: A wrapped key of a grantee is longer than what a page of SQLite holds of one row.
PIECE: Final = 24
#: A node, a gateway, twelve storage nodes, a sidecar.
LASTING: Final = 15


@dataclass
class Watch:
    """What was seen of the processes: their arguments and environments, by pid."""

    mark: bytes
    seen: dict[int, set[bytes]] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look again and again, since commands are short-lived."""
        while not self.stop.wait(LOOK_S):
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    environment = (process / "environ").read_bytes()
                    if self.mark in environment:
                        texts = self.seen.setdefault(int(process.name), set())
                        texts |= {environment, (process / "cmdline").read_bytes()}

    def texts(self) -> set[bytes]:
        """Return all that was seen."""
        return set[bytes]().union(*list(self.seen.values()))


@contextmanager
def watched(mark: str) -> Iterator[Watch]:
    """Watch while the block lasts."""
    watch = Watch(f"{MARK}={mark}".encode())
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop.set()
        thread.join()


@dataclass
class Site:
    """A network whose gateway is listened in to."""

    network: Network
    tap: Wiretap  #: between sidecar and gateway
    chain_tap: Wiretap
    watch: Watch

    @property
    def home(self) -> Path:
        """The sidecar's folder."""
        return self.network.devnet.layout.sidecar

    def files(self, root: Path | None = None) -> dict[Path, bytes]:
        """Return what stands in the files of the network, or below a folder."""
        found = {}
        for path in (root or self.network.devnet.layout.root).rglob("*"):
            with suppress(FileNotFoundError):
                if path.is_file():
                    found[path] = path.read_bytes()
        return found

    def keys(self, record: str) -> list[bytes]:
        """Return the wrapped copies of a record's key, past the sidecar."""
        with closing(sqlite3.connect(self.home / QUEUE_FILE)) as database:
            given = {"id": bytes.fromhex(record)}
            own = database.execute("SELECT wrapped FROM keys WHERE id = :id", given).fetchall()
            kept = database.execute("SELECT wrapped FROM escrow_keys WHERE record = :id", given).fetchall()
        return [bytes(row[0]) for row in (*own, *kept)]


@pytest.fixture
def site(node_parts: ChainParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A network of its own, since everything below its folder is searched."""
    mark, folder = secrets.token_hex(8), tmp_path / "devnet"
    monkeypatch.setenv(MARK, mark)
    with watched(mark) as watch:
        up = spawned_caregrid("devnet", "up", "--folder", folder, "--node", node_parts.node, "--json")
        assert up.exit_code == 0, up.stderr
        devnet = Devnet(folder)
        try:
            chain_url = tomllib.loads(devnet.layout.sidecar_config.read_text())["chain_urls"][0]
            with tapped(_port(devnet.storage.gateway_url)) as tap, tapped(_port(chain_url)) as chain_tap:
                listen_in(
                    devnet,
                    {
                        devnet.storage.gateway_url: f"http://127.0.0.1:{tap.port}",
                        chain_url: f"ws://127.0.0.1:{chain_tap.port}",
                    },
                )
                network = Network(devnet, spawned_caregrid)
                yield Site(network=network, tap=tap, chain_tap=chain_tap, watch=watch)
                sidecar = devnet.process("sidecar")
                assert sidecar is not None
                sidecar.stop()
        finally:
            devnet.down()


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def listen_in(devnet: Devnet, taps: Mapping[str, str]) -> None:
    """Have the sidecar reach others through the taps."""
    sidecar = devnet.process("sidecar")
    assert sidecar is not None
    sidecar.stop()
    config = devnet.layout.sidecar_config
    text = config.read_text()
    for url, tap in taps.items():
        assert url in text
        text = text.replace(url, tap)
    config.write_text(text)
    devnet.restart_sidecar()


def forms(secret: bytes) -> list[bytes]:
    """Return how a secret would look, had it leaked."""
    return [secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret)]


def traces(texts: Mapping[Path, bytes], secret: bytes) -> list[Path]:
    """Return which texts have a secret in any form."""
    return [path for path, text in texts.items() if any(form in text for form in forms(secret))]


def pieces(wrapped: bytes) -> list[bytes]:
    """Return parts of a wrapped key that a database keeps together on a page."""
    return [wrapped[start : start + PIECE] for start in range(0, len(wrapped) - PIECE + 1, PIECE)]


def kept(site: Site, wrapped: bytes) -> list[Path]:
    """Return the files of the sidecar's home that have any part of a wrapped key."""
    files = site.files(site.home)
    return [path for path, text in files.items() if any(piece in text for piece in pieces(wrapped))]


def require_clean(site: Site, secrets_: Mapping[str, bytes], allowed: Mapping[str, list[Path]]) -> None:
    """Look everywhere; a secret may stand in its allowed files only, and must stand there."""
    files, processes = site.files(), site.watch.texts()
    wire = [*site.tap.heard(), *map(unmasked, site.chain_tap.heard())]
    for name, secret in secrets_.items():
        assert allowed.get(name, []) == traces(files, secret), name
        for texts in (processes, wire):
            assert not any(form in text for text in texts for form in forms(secret)), name


def key_material(site: Site) -> dict[str, bytes]:
    """Return what the key files hold, opened by their passphrase, in parts that are secret by themselves."""
    layout, found = site.network.devnet.layout, dict[str, bytes]()
    settings, passphrase = Settings.load(layout.sidecar_config), layout.passphrase.read_text().strip()
    for path in [*layout.root.glob("*.identity.json"), settings.operator_path]:
        secret = passphrase_file.read(path, passphrase, purpose="identity")
        parts = (secret[:32], secret[32:64], secret[64:96], secret[-32:])
        found |= {f"{path.name} {number}": part for number, part in enumerate(parts)}
    ring = passphrase_file.read(settings.key_store_path, passphrase, purpose="custodian-key")
    [master] = Keyring.from_bytes(ring).keys
    return found | {"master key": master.secret, "proof key": settings.proof_key_path.read_bytes()[1:]}


def submitted(site: Site, path: Path) -> str:
    """Submit a file and return its record."""
    [record] = site.network.submit(path)["records"]
    assert "confirmed" == record["state"]
    return str(record["record"])


def test_nothing_leaks_in_a_records_whole_life(site: Site, tmp_path: Path) -> None:
    """Handed in, refused, stored, granted, read, revealed, erased: no secret is where it does not belong."""
    marker = secrets.token_hex(16)
    layout, run = site.network.devnet.layout, site.network.run
    found = {
        "content": marker.encode(),
        "passphrase": layout.passphrase.read_text().strip().encode(),
        "token": (layout.root / "clinic.token").read_text().strip().encode(),
    }
    found |= key_material(site)
    allowed = {
        "passphrase": [layout.passphrase],
        "token": [layout.root / "clinic.token"],
        "proof key": [Settings.load(layout.sidecar_config).proof_key_path],
    }
    paths = [tmp_path / name for name in ("sound.json", "refused.json", "scan.bin")]
    for path, status in zip(paths, ("final", marker), strict=False):
        value = {"resourceType": "Observation", "status": status, "code": {"text": marker}}
        path.write_text(json.dumps(value))
    paths[2].write_bytes(marker.encode() * (SCAN_SIZE // len(marker)))

    # On its way: in spool, queue and pack.
    early = run("emr", "submit", paths[2], "--timeout", 0.01, "--json")
    assert 43 == early.exit_code, early.stderr
    require_clean(site, found, allowed)
    waiting = run("emr", "status", early.error["submission"], "--timeout", 120, "--json")
    assert 1 == waiting.json["confirmed"], waiting.stderr
    assert 64 == run("emr", "submit", paths[1], "--json").exit_code

    # Stored, granted, read and revealed.
    record = submitted(site, paths[0])
    reader = run("grants", "publish-key", "--json", profile=site.network.reader).json["account"]
    assert 0 == run("grants", "add", record, reader, "--wait").exit_code
    read = run("emr", "get", record, profile=site.network.reader)
    assert marker.encode() in read.stdout, read.stderr
    found["data key"] = bytes.fromhex(run("keys", "reveal", record, "--yes", "--json").json["data_key"])
    require_clean(site, found, allowed)
    wrapped = site.keys(record)
    assert 2 == len(wrapped), "the custodian's own, and one in escrow"
    assert all(kept(site, key) for key in wrapped), "the search finds what is there"

    # Erased.
    erased = run("emr", "erase", record, "--yes", "--wait", "--json")
    assert erased.json["state"] in {"erased", "gone"}, erased.stderr
    assert [[], []] == [kept(site, key) for key in wrapped]
    for profile in (site.network.clinic, site.network.reader):
        refused = run("emr", "get", record, "--json", profile=profile)
        assert (38, "RECORD_ERASED") == (refused.exit_code, refused.error["error"])
    require_clean(site, found, allowed)

    assert LASTING <= len(site.watch.seen)
    assert SCAN_SIZE < sum(map(len, site.tap.heard()))
    told = b"".join(map(unmasked, site.chain_tap.heard()))
    assert b"author_submitExtrinsic" in told, "what is said to the chain is understood"
    assert record.encode() in told
