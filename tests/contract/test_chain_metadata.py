"""What Python believes of the runtime is what its metadata says; and the contract tests cover all of it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.chain import (
    AuditOutcome,
    BlockReason,
    EmergencyReason,
    ProofScheme,
    Purpose,
    Severity,
    SignatureFormat,
    SubstrateChain,
    calls,
    limits,
    refusals,
)
from tests.contract.chain_world import NODE_ONLY, ONE_LOOP, OURS, Seen

if TYPE_CHECKING:
    from enum import StrEnum

    from tests.contract.chain_world import World

pytestmark = [ONE_LOOP, NODE_ONLY]

#: Calls of other pallets that have a builder, too.
OTHER_CALLS = {"transfer", "batch_all", "add_proxy", "remove_proxy", "proxy"}


async def metadata(world: World, read: Any) -> Any:
    """Return what `read` finds in the metadata of CareGrid's pallets."""
    assert isinstance(world.chain, SubstrateChain)
    return await world.chain._connection.run(
        lambda client: {
            pallet.name: read(client, pallet) for pallet in client.metadata.pallets if pallet.name in OURS
        }
    )


async def test_every_call_event_and_error_is_covered(world: World) -> None:
    """Whatever the pallets have, some contract test is marked with it, and would fail without."""
    found = await metadata(
        world,
        lambda _, pallet: {
            *(("call", call.name) for call in pallet.calls),
            *(("event", event.name) for event in pallet.events),
            *(("error", error.name) for error in pallet.errors),
        },
    )
    expected = {Seen(kind, f"{pallet}.{name}") for pallet, names in found.items() for kind, name in names}
    covered = set().union(*(_covered_in(path.stem) for path in Path(__file__).parent.glob("test_chain_*.py")))
    assert set() == expected - covered
    assert set() == covered - expected
    assert len(expected) > 100


def _covered_in(module: str) -> set[Seen]:
    tests = vars(importlib.import_module(f"tests.contract.{module}")).values()
    return set().union(*(getattr(test, "covers", set()) for test in tests))


async def test_every_error_has_its_class(world: World) -> None:
    """By name and with the same words, and no class is left over."""
    found = await metadata(
        world, lambda _, pallet: {error.name: " ".join(error.docs).strip() for error in pallet.errors}
    )
    classes = {
        pallet: {name: " ".join((kind.__doc__ or "").split()) for name, kind in kinds.items()}
        for pallet, kinds in refusals.PALLETS.items()
    }
    assert found == classes


async def test_every_call_has_its_builder(world: World) -> None:
    """Of the same name, and none is left over."""
    found = await metadata(world, lambda _, pallet: {call.name for call in pallet.calls})
    builders = {name for name in calls.__all__ if name.islower()} - OTHER_CALLS
    assert set().union(*found.values()) == builders


async def test_every_reject_reason_is_an_error(world: World) -> None:
    """So that an item that was left out has the class that a single call would have met."""
    names = await variants(world, "pallet_emr::types::rejections::RejectReason")
    assert set() == set(names) - refusals.PALLETS["Emr"].keys()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("pallet_emr::types::access::Purpose", Purpose),
        ("pallet_emr::types::access::EmergencyReason", EmergencyReason),
        ("pallet_emr::types::reports::ProofScheme", ProofScheme),
        ("pallet_emr::types::reports::AuditOutcome", AuditOutcome),
        ("pallet_threats::types::BlockReason", BlockReason),
        ("pallet_threats::types::SignatureFormat", SignatureFormat),
        ("pallet_threats::types::Severity", Severity),
        ("caregrid_runtime::configs::delegation::ProxyType", calls.ProxyType),
    ],
)
async def test_names_are_those_of_the_runtime(world: World, path: str, kind: type[StrEnum]) -> None:
    """Every variant, and no other."""
    assert sorted(kind) == sorted(await variants(world, path))


async def test_formats_are_those_of_the_runtime(world: World) -> None:
    """Also their numbers."""
    names = await variants(world, "pallet_emr::types::records::RecordFormat")
    assert names == [calls.FORMAT_NAMES[number] for number in sorted(calls.FORMAT_NAMES)]


async def variants(world: World, path: str) -> list[str]:
    """Return the variants of an enum of the runtime, by index."""
    assert isinstance(world.chain, SubstrateChain)

    def read(client: Any) -> list[str]:
        for entry in client.metadata.portable_registry["types"].value:
            if "::".join(entry["type"]["path"]) == path:
                found = entry["type"]["def"]["variant"]["variants"]
                return [each["name"] for each in sorted(found, key=lambda each: each["index"])]
        raise AssertionError(f"the metadata has no {path}")

    return await world.chain._connection.run(read)


async def test_bounds_are_those_of_the_runtime(world: World) -> None:
    """Each constant has its twin in `limits`, which the checks and the memory chain use."""
    found = await metadata(
        world,
        lambda client, pallet: {
            constant.value["name"]: client.get_constant(pallet.name, constant.value["name"]).value
            for constant in pallet.constants
        },
    )
    assert {
        "MaxOperators": limits.MAX_OPERATORS,
        "MaxEmergencyMembers": limits.MAX_EMERGENCY_MEMBERS,
        "MaxBatch": limits.MAX_BATCH,
        "MaxRecordsPerObject": limits.MAX_RECORDS_PER_OBJECT,
        "MaxGrantsPerScope": limits.MAX_GRANTS_PER_SCOPE,
        "MaxGrantDuration": limits.MAX_GRANT_DURATION,
        "MaxRequestDuration": limits.MAX_REQUEST_DURATION,
        "EmergencyDuration": limits.EMERGENCY_DURATION,
    } == found["Emr"]
    assert {
        "MaxBlockDuration": limits.MAX_BLOCK_DURATION,
        "MaxCleanup": limits.MAX_CLEANUP,
        "MaxPatternLen": limits.MAX_PATTERN_LEN,
    } == found["Threats"]
