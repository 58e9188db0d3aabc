"""`caregrid emr reseal`: a record under another data key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ocw_sidecar.cli import options, output

if TYPE_CHECKING:
    from caregrid.client import EmrClient
    from caregrid.reseals import ResealStatus

#: The worker looks each hundred blocks; then an upload, and a call up to finality.
WAIT_TIMEOUT_S: Final = 600.0


def reseal(
    record: options.RecordArgument,
    wait: Annotated[bool, typer.Option("--wait", help="Until the new key is the only one.")] = False,
    timeout: Annotated[
        float, typer.Option(help="How long to wait, in seconds; the sidecar goes on after that, too.")
    ] = WAIT_TIMEOUT_S,
    profile: options.ProfilePath = options.DEFAULT_PROFILE,
    as_json: options.AsJson = False,
) -> None:
    """Have the custodian's sidecar seal a record under another data key, as after a withdrawal.

    Who has read it keeps what he read, and with the old key what he stored of it.
    """
    record_id = options.record_id(record)

    async def work(client: EmrClient) -> ResealStatus:
        asked = await client.reseal(record_id)
        return await client.wait_resealed(record_id, timeout_s=timeout) if wait else asked

    output.result(_described(options.with_client(profile, work)), as_json=as_json)


def _described(found: ResealStatus) -> dict[str, Any]:
    return {
        "record": found.record_id.hex(),
        "state": "done" if found.done else "waiting",
        "asked": output.time_of(found.asked_at),
        "done": None if found.done_at is None else output.time_of(found.done_at),
        "waits_for": found.waits_for,
    }
