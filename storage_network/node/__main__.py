"""`python -m storage_network.node`: one storage node."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from storage_network import files, process
from storage_network.node.app import FRAGMENT_SIZE, make_app
from storage_network.node.fragments import FragmentStore

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a node until SIGTERM; return its exit code."""
    parser = process.argument_parser("Keep fragments on this machine's disk.")
    options = parser.parse_args(arguments)

    async def run() -> None:
        token = process.read_token(options.token_file)
        with files.own_folder(options.root):
            app = make_app(FragmentStore(options.root, FRAGMENT_SIZE), token)
            await process.serve(app, port=options.port, ready_file=options.ready_file)

    return process.run(run())


if __name__ == "__main__":
    sys.exit(main())
