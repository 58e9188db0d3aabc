"""`python -m storage_network.drains`: has a gateway empty storage nodes for good, and tells how far it is.

::

    drains --root GATEWAY start node-a-0
    drains --root GATEWAY stop node-a-0
    drains --root GATEWAY list

A running gateway takes a change in at once: the node gets no more fragments, and what it holds moves to the
others. `list` prints a JSON line for each node, with the fragments that are left. At 0 the node can be taken
out of the nodes file; then `stop` forgets it.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from caregrid.errors import CaregridError, ConfigInvalid
from storage_network.gateway import drains

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A running gateway holds its catalogue for milliseconds.
BUSY_TIMEOUT_S: Final = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked for; return an exit code."""
    options = _parser().parse_args(arguments)
    path = options.root / drains.FILE_NAME
    try:
        known = drains.read(path)
        if options.command == "list":
            _print(options.root, known)
        elif options.command == "start":
            drains.write(path, {*known, options.node})
        elif options.node in known:
            drains.write(path, known - {options.node})
        else:
            raise ConfigInvalid("this node is not drained; `list` shows which are")
    except CaregridError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Have a gateway empty storage nodes.")
    parser.add_argument("--root", type=Path, required=True, help="the gateway's folder")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print how many fragments are left on each, one JSON object a line")
    for command, text in (("start", "empty a node for good"), ("stop", "let it take fragments again")):
        commands.add_parser(command, help=text).add_argument("node", help="its name in the nodes file")
    return parser


def _print(root: Path, nodes: frozenset[str]) -> None:
    left = _left(root / "catalogue.sqlite", nodes)
    for node in sorted(nodes):
        sys.stdout.write(json.dumps({"node": node, "fragments": left[node]}) + "\n")


def _left(catalogue: Path, nodes: frozenset[str]) -> dict[str, int]:
    uri = f"{catalogue.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)) as database:
            question = "SELECT COUNT(*) FROM fragments WHERE node = ?"
            return {node: int(database.execute(question, (node,)).fetchone()[0]) for node in nodes}
    except sqlite3.Error as exc:
        raise ConfigInvalid(f"there is no gateway's catalogue at {catalogue}; check --root") from exc


if __name__ == "__main__":
    sys.exit(main())
