"""`caregrid cleanup-expired-blocks`, `sync-blockchain` and `run-background-tasks`, for people and for cron.

Exit codes: 0 all went well, 1 a part failed, 2 everything failed or the command line is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ocw_sidecar import task_runs
from ocw_sidecar.cli import options, output
from ocw_sidecar.cli.background_runs import Verbosity, carried_out, shown
from ocw_sidecar.workers.background.report import together
from ocw_sidecar.workers.background.sending import Patience
from ocw_sidecar.workers.background.tasks import Only

if TYPE_CHECKING:
    from ocw_sidecar.settings import Settings
    from ocw_sidecar.workers.background.report import Report
    from ocw_sidecar.workers.background.tasks import Tasks

DryRun = Annotated[bool, typer.Option("--dry-run", help="Count, and change nothing anywhere.")]
LocalOnly = Annotated[bool, typer.Option("--local-only", help="Never touch the chain.")]
Force = Annotated[bool, typer.Option("--force", help="Clean up here even when the chain part fails.")]
Retries = Annotated[int | None, typer.Option("--max-retries", min=0, max=100, help="Within this run.")]
Delay = Annotated[
    float | None,
    typer.Option("--retry-delay", min=0, max=600, help="Seconds before the first retry, then doubled."),
]


def cleanup_expired_blocks(
    dry_run: DryRun = False,
    local_only: LocalOnly = False,
    force: Force = False,
    config: options.Config = None,
    verbose: Verbosity = 1,
    as_json: options.AsJson = False,
) -> None:
    """Remove IP blocks that have ended, on the chain and in the local table."""
    if local_only and force:
        raise typer.BadParameter("--local-only touches no chain, so there is nothing to --force")

    async def work(settings: Settings) -> Report:
        async with task_runs.open_tasks(settings, chain=not local_only) as tasks:
            return await tasks.clean_up(local_only=local_only, force=force, dry_run=dry_run)

    report = carried_out(config, work, verbose=verbose, as_json=as_json)
    shown(report.as_json(), verbose=verbose, as_json=as_json)
    raise typer.Exit(report.result)


def sync_blockchain(
    dry_run: DryRun = False,
    stats: Annotated[
        bool, typer.Option("--stats", help="Show what waits and what was done; send nothing.")
    ] = False,
    patients_only: Annotated[bool, typer.Option("--patients-only")] = False,
    blocks_only: Annotated[bool, typer.Option("--blocks-only")] = False,
    signatures_only: Annotated[bool, typer.Option("--signatures-only")] = False,
    max_retries: Retries = None,
    retry_delay: Delay = None,
    config: options.Config = None,
    verbose: Verbosity = 1,
    as_json: options.AsJson = False,
) -> None:
    """Send what is pending to the chain, and take in what others put there."""
    only = _only(patients=patients_only, blocks=blocks_only, signatures=signatures_only)
    if stats and (dry_run or only is not None):
        raise typer.BadParameter("--stats shows everything and sends nothing; give it alone")

    async def statistics(settings: Settings) -> list[dict[str, Any]]:
        async with task_runs.open_tasks(settings, chain=False) as tasks:
            return await tasks.statistics()

    async def work(settings: Settings) -> Report:
        async with task_runs.open_tasks(settings) as tasks:
            patience = _patience(tasks, max_retries, retry_delay)
            return await tasks.synchronise(only=only, dry_run=dry_run, patience=patience)

    if stats:
        output.result(
            {"tables": carried_out(config, statistics, verbose=verbose, as_json=as_json)}, as_json=as_json
        )
        return
    report = carried_out(config, work, verbose=verbose, as_json=as_json)
    shown(report.as_json(), verbose=verbose, as_json=as_json)
    raise typer.Exit(report.result)


def run_background_tasks(
    config: options.Config = None, verbose: Verbosity = 1, as_json: options.AsJson = False
) -> None:
    """Clean up, synchronise, then synchronise attack signatures; what fails does not stop what follows."""

    async def work(settings: Settings) -> list[Report]:
        async with task_runs.open_tasks(settings) as tasks:
            patience = _patience(tasks, None, None)
            cleaned = await tasks.clean_up(force=True)
            synced = [await tasks.synchronise(only=each, patience=patience) for each in Only]
            return [cleaned, *synced]

    reports = carried_out(config, work, verbose=verbose, as_json=as_json)
    result = together(reports)
    tasks = [report.as_json() for report in reports]
    shown({"result": result.name.lower(), "tasks": tasks}, verbose=verbose, as_json=as_json)
    raise typer.Exit(result)


def _only(*, patients: bool, blocks: bool, signatures: bool) -> Only | None:
    named = {Only.PATIENTS: patients, Only.BLOCKS: blocks, Only.SIGNATURES: signatures}
    chosen = [only for only, is_named in named.items() if is_named]
    if len(chosen) > 1:
        raise typer.BadParameter("give one of --patients-only, --blocks-only and --signatures-only")
    return chosen[0] if chosen else None


def _patience(tasks: Tasks, max_retries: int | None, retry_delay: float | None) -> Patience:
    own = tasks.settings
    return Patience(
        max_retries=own.max_retries if max_retries is None else max_retries,
        retry_delay_s=own.retry_delay_s if retry_delay is None else retry_delay,
    )
