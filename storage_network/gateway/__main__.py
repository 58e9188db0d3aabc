"""`python -m storage_network.gateway`: the gateway of a local storage network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from storage_network import files, process
from storage_network.gateway.app import make_app
from storage_network.gateway.settings import DEFAULT_MAX_OBJECT_SIZE, GatewaySettings, read_nodes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gateway until SIGTERM; return its exit code."""
    options = _parser().parse_args(arguments)

    async def run() -> None:
        settings = _settings(options)
        with files.own_folder(settings.root):
            await process.serve(make_app(settings), port=options.port, ready_file=options.ready_file)

    return process.run(run())


def _parser() -> argparse.ArgumentParser:
    parser = process.argument_parser("Serve DeOSS's HTTP API over storage nodes.")
    parser.add_argument(
        "--nodes-file", type=Path, required=True, help='JSON: [{"node": name, "url": url}, ...]'
    )
    parser.add_argument("--max-object-size", type=int, default=DEFAULT_MAX_OBJECT_SIZE, help="in bytes")
    parser.add_argument(
        "--require-expiry", action="store_true", help="refuse signed messages that never expire (stock SDK's)"
    )
    return parser


def _settings(options: argparse.Namespace) -> GatewaySettings:
    return GatewaySettings(
        root=options.root,
        nodes=read_nodes(options.nodes_file),
        token=process.read_token(options.token_file),
        max_object_size=options.max_object_size,
        require_expiry=options.require_expiry,
    )


if __name__ == "__main__":
    sys.exit(main())
