"""`python -m storage_network.node`: one storage node."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from storage_network import files, process
from storage_network.node.app import FRAGMENT_SIZE, make_app
from storage_network.node.fragments import FragmentStore
from storage_network.node.scrub import DEFAULT_MAX_RATE, DEFAULT_PERIOD_S, Scrubber, ScrubSettings
from storage_network.tls import node_context

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from aiohttp import web


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a node until SIGTERM; return its exit code."""
    options = _parser().parse_args(arguments)

    async def run() -> None:
        tls = None if options.tls is None else node_context(options.tls)
        with files.own_folder(options.root):
            app = _app(options, process.token_of(options, required=tls is None))
            await process.serve(app, process.listening(options, tls), ready_file=options.ready_file)

    return process.run(run())


def _parser() -> argparse.ArgumentParser:
    parser = process.argument_parser("Keep fragments on this machine's disk.")
    parser.add_argument(
        "--tls", type=process.path, help="folder with certificate.pem, key.pem and ca.pem of this node"
    )
    parser.add_argument("--max-bytes", type=process.positive, help="bytes of fragments to hold; default: any")
    parser.add_argument(
        "--scrub-period-s", type=float, default=DEFAULT_PERIOD_S, help="read all within this; 0: never"
    )
    parser.add_argument(
        "--scrub-max-rate", type=process.positive, default=DEFAULT_MAX_RATE, help="bytes a second"
    )
    return parser


def _app(options: argparse.Namespace, token: str | None) -> web.Application:
    root: Path = options.root
    store = FragmentStore(root, FRAGMENT_SIZE, max_bytes=options.max_bytes)
    settings = ScrubSettings(period_s=options.scrub_period_s, max_rate=options.scrub_max_rate)
    return make_app(store, token, Scrubber(store, root / "scrub", settings))


if __name__ == "__main__":
    sys.exit(main())
