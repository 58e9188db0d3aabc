"""The main job, step by step, through the commands and the SDK that users have. Run by `scripts/demo`."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caregrid import EmrClient, RecordFormat
from caregrid.errors import CaregridError, NoGrant
from caregrid.fhir import split_bundle
from example_data.imaging import imaging_like
from ocw_sidecar.devnet import Devnet, Parts
from ocw_sidecar.devnet.chain import ChainParts

if TYPE_CHECKING:
    from caregrid.intake import ItemStatus, SubmissionStatus

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "examples" / "synthetic-patient-bundle.json"
#: One third of the twelve storage nodes.
STOPPED_NODES = 4
#: What shells expect of a program that was interrupted.
INTERRUPTED = 130


@dataclass
class Report:
    """Prints each step with its time, and collects the facts of the last line."""

    begun: float = field(default_factory=time.monotonic)
    facts: dict[str, Any] = field(default_factory=dict)

    def step(self, text: str) -> None:
        """Print one step."""
        print(f"{self.seconds():6.1f} s  {text}", file=sys.stderr, flush=True)

    def seconds(self) -> float:
        """Return the time since the start."""
        return time.monotonic() - self.begun


def main() -> None:
    """Run a network, do the job, stop the network."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--keep", action="store_true", help="leave everything running")
    keep = options.parse_args().keep
    report = Report()
    folder = Path(tempfile.mkdtemp(prefix="caregrid-demo-"))
    network = Devnet(folder / "network")
    try:
        network.up(Parts(chain=_chain()), report.step)
        report.step(_described(network))
        asyncio.run(_job(network, folder, report))
        if keep:
            _bring_nodes_back(network, report)
            _say_how_to_use(network, report)
    except (CaregridError, KeyboardInterrupt) as fault:
        report.step(f"ended early: {str(fault) or 'interrupted'}")
        sys.exit(getattr(fault, "exit_code", INTERRUPTED))
    finally:
        if not keep:
            network.down()
            shutil.rmtree(folder)
            report.step("stopped everything that was started")
    print(json.dumps({**report.facts, "seconds": round(report.seconds(), 1)}))


def _chain() -> ChainParts:
    paths = {name: os.environ.get(f"CAREGRID_{name}") for name in ("NODE", "CHOPSTICKS", "CHAIN_SPEC")}
    node, chopsticks, spec = (Path(value) if value else None for value in paths.values())
    return ChainParts(node=node, chopsticks=chopsticks, chain_spec=spec)


def _described(network: Devnet) -> str:
    status = network.status()
    return f"chain at {status['chain']['url']}, {status['storage_nodes']} storage nodes, sidecar ready"


async def _job(network: Devnet, folder: Path, report: Report) -> None:
    scan = folder / "scan.dcm"
    await asyncio.to_thread(imaging_like, scan)
    clinic = await EmrClient.from_profile(network.layout.profile("clinic"))
    reader = await EmrClient.from_profile(network.layout.profile("reader"))
    async with clinic, reader:
        job = Job(network=network, clinic=clinic, reader=reader, scan=scan, report=report)
        await job.submit()
        await job.read_back()
        await job.share()
        await job.read_with_nodes_down()


@dataclass(kw_only=True)
class Job:
    """What a hospital's application does, and a second person."""

    network: Devnet
    clinic: EmrClient
    reader: EmrClient
    scan: Path
    report: Report
    bundle: list[ItemStatus] = field(default_factory=list)
    scan_record: bytes = b""

    async def submit(self) -> None:
        """Submit the bundle and the scan of a new patient, and wait until they are final."""
        patient = await self.clinic.register_patient()
        self.report.step("registered a patient under a random id")
        bundle, scan = await asyncio.gather(
            self.clinic.submit(BUNDLE, patient_id=patient),
            self.clinic.submit(self.scan, patient_id=patient, format=RecordFormat.DICOM),
        )
        self.bundle, rejected = bundle.of_state("confirmed"), bundle.of_state("rejected")
        self.report.step(f"the FHIR bundle: {len(self.bundle)} records are final, {len(rejected)} refused")
        for item in rejected:
            self.report.step(f"  refused: {_first_issue(item)}")
        [item] = scan.of_state("confirmed")
        self.scan_record = item.record_id
        self.report.step("the 40 MiB scan is final, too")
        self.report.facts |= _anchored_facts([bundle, scan], self.scan)

    async def read_back(self) -> None:
        """Read everything as the owner."""
        entries, total, equal = _entries(), 0, True
        for item in self.bundle:
            content = await self.clinic.get(item.record_id)
            total += len(content)
            # Behind the entries comes a Provenance, which says what record each entry became.
            equal &= item.ordinal >= len(entries) or content == entries[item.ordinal]
        self.report.step(f"read {len(self.bundle)} records back as the owner: {_verdict(equal)}")
        size, same_scan = await self._read_scan()
        self.report.step(f"read the scan back as the owner: {_verdict(same_scan)}")
        self.report.facts |= {"bytes_out": total + size, "sha256_equal": equal and same_scan}

    async def share(self) -> None:
        """Grant a record, read it as the second person, revoke, and be refused."""
        record, account = self.bundle[0].record_id, self.reader.identity.account
        await self.clinic.grant(record, account)
        self.report.step("granted one record to a second account")
        granted = await self.reader.get(record) == await self.clinic.get(record)
        self.report.step(f"read it as that account: {_verdict(granted)}")
        await self.clinic.revoke(record, account)
        refused = await self._is_refused(record)
        self.report.step(f"revoked the grant and read again: {'refused' if refused else 'NOT refused'}")
        self.report.facts |= {"granted_read": granted, "revoked_read_refused": refused}

    async def read_with_nodes_down(self) -> None:
        """Stop a third of the storage nodes and read as the owner."""
        for number in range(STOPPED_NODES):
            self.network.storage.kill_node(number)
        _, same = await self._read_scan()
        first = self.bundle[0]
        same &= await self.clinic.get(first.record_id) == _entries()[first.ordinal]
        self.report.step(f"stopped {STOPPED_NODES} of 12 storage nodes and read again: {_verdict(same)}")
        self.report.facts |= {"read_with_nodes_down": same}

    async def _read_scan(self) -> tuple[int, bool]:
        copy = self.scan.with_name("copy.dcm")
        size = await self.clinic.download(self.scan_record, copy)
        return size, _sha256(copy) == _sha256(self.scan)

    async def _is_refused(self, record: bytes) -> bool:
        try:
            await self.reader.get(record)
        except NoGrant:
            return True
        return False


def _first_issue(item: ItemStatus) -> str:
    issue = (item.outcome or {})["issue"][0]
    return f"{issue['details']['text']} ({', '.join(issue.get('expression', []))})"


def _anchored_facts(submissions: list[SubmissionStatus], scan: Path) -> dict[str, Any]:
    items = [item for status in submissions for item in status.items]
    confirmed = [item for item in items if item.state == "confirmed"]
    return {
        "records": len(confirmed),
        "rejected": len([item for item in items if item.state == "rejected"]),
        "file_ids": sorted({item.object_id.hex() for item in confirmed if item.object_id}),
        "anchored_block": max(item.block for item in confirmed if item.block is not None),
        "finalized": all(item.block is not None for item in confirmed),
        "bytes_in": BUNDLE.stat().st_size + scan.stat().st_size,
    }


def _entries() -> list[bytes | None]:
    """Return each entry's resource as it stands in the file."""
    return split_bundle(BUNDLE.read_bytes())


def _bring_nodes_back(network: Devnet, report: Report) -> None:
    for number in range(STOPPED_NODES):
        network.storage.restart_node(number)
    report.step("started the stopped storage nodes again")


def _say_how_to_use(network: Devnet, report: Report) -> None:
    layout = network.layout
    report.step("everything is left running; use it like this:")
    program = Path(sys.executable).with_name("caregrid")
    for command in (
        f"export CAREGRID_PROFILE={layout.profile('clinic')} CAREGRID_DEVNET={layout.root}",
        f"{program} doctor",
        f"{program} emr submit FILE",
        f"{program} emr get RECORD",
        f"{program} devnet down",
    ):
        print(f"            {command}", file=sys.stderr)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _verdict(equal: bool) -> str:  # noqa: FBT001 - a verdict on one truth
    return "equal to what was submitted" if equal else "NOT equal to what was submitted"


if __name__ == "__main__":
    main()
