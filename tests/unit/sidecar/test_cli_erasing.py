"""`caregrid emr erase` and `erasure`: a word before it, and what is shown after it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from caregrid.erasures import ErasureReceipt, ErasureStatus, ReasonCode
from caregrid.errors import InputInvalid, IntegrityFailed
from ocw_sidecar.cli import erasing, options
from ocw_sidecar.pipeline.erasure import ORIGIN, receipt_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from typer.testing import Result

    from ocw_sidecar.pipeline.erasure import Facts

RECORD = bytes(range(16))


class Custodian:
    """A client whose sidecar has written one receipt."""

    def __init__(self) -> None:
        facts: Facts = {"number": 1, "record": RECORD.hex(), "step": "keys_destroyed", "at": 0}
        facts = {**facts, "cause": "asked"}
        body, digest = receipt_body(facts, ORIGIN)
        self.reasons: list[ReasonCode | None] = []
        self.waited: list[float] = []
        self.found = ErasureStatus(
            record_id=RECORD,
            state="decided",
            decided_at=0,
            object_id=None,
            waits_for=None,
            custodian=b"\x01" * 32,
            receipts=[ErasureReceipt(number=1, body=body, digest=digest)],
        )

    async def erase(self, _record: bytes, *, reason: ReasonCode | None) -> ErasureStatus:
        """Note what is asked."""
        self.reasons.append(reason)
        return self.found

    async def wait_erased(self, _record: bytes, *, timeout_s: float) -> ErasureStatus:
        """Note how long is waited."""
        self.waited.append(timeout_s)
        return replace(self.found, state="erased")

    async def erasure(self, _record: bytes) -> ErasureStatus:
        """Say how far it is."""
        return self.found


@pytest.fixture
def custodian(monkeypatch: pytest.MonkeyPatch) -> Custodian:
    """What the commands ask."""
    made = Custodian()

    def with_client(_: Path, work: Callable[[Any], Awaitable[object]]) -> object:
        async def run() -> object:
            return await work(made)

        return asyncio.run(run())

    monkeypatch.setattr(options, "with_client", with_client)
    return made


def run(*arguments: str, typed: str | None = None) -> Result:
    """Run a command; what it raises comes through."""
    done = CliRunner().invoke(erasing.app, list(arguments), input=typed)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.mark.parametrize("typed", ["", "yes\n", "ERASE\n", "erase it\n"])
def test_nothing_happens_without_the_word(custodian: Custodian, typed: str) -> None:
    """What cannot be taken back is not done by mistake."""
    with pytest.raises(InputInvalid, match="nothing was erased"):
        run("erase", RECORD.hex(), typed=typed)
    assert [] == custodian.reasons


def test_the_word_or_yes_erases(custodian: Custodian) -> None:
    """With the reason's code; a code that is none is refused."""
    run("erase", RECORD.hex(), typed="erase\n")
    run("erase", RECORD.hex(), "--yes", "--reason-code", "legal-order")
    assert [None, ReasonCode.LEGAL_ORDER] == custodian.reasons
    assert 2 == run("erase", RECORD.hex(), "--yes", "--reason-code", "because").exit_code
    assert [] == custodian.waited


def test_waiting_shows_what_came_of_it(custodian: Custodian) -> None:
    """For as long as it is told to."""
    done = run("erase", RECORD.hex(), "--yes", "--wait", "--timeout", "7", "--json")
    assert ("erased", [7.0]) == (json.loads(done.stdout)["state"], custodian.waited)


def test_receipts_are_shown_as_they_are(custodian: Custodian) -> None:
    """With number, step and digest; one that was altered is an error."""
    shown = json.loads(run("erasure", RECORD.hex(), "--json").stdout)
    [receipt] = shown["receipts"]
    assert (1, "keys_destroyed", ORIGIN.hex()) == (receipt["number"], receipt["step"], receipt["previous"])
    assert "step=keys_destroyed" in run("erasure", RECORD.hex()).stdout
    [good] = custodian.found.receipts
    for bad in (replace(good, body=good.body.replace("asked", "chain")), replace(good, number=2)):
        custodian.found = replace(custodian.found, receipts=[bad])
        with pytest.raises(IntegrityFailed):
            run("erasure", RECORD.hex())
