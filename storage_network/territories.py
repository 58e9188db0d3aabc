"""`python -m storage_network.territories`: gives accounts space on a gateway, or takes it back.

::

    territories --root GATEWAY set --account cX... --name records --total-bytes 1099511627776
    territories --root GATEWAY remove --account cX... --name records
    territories --root GATEWAY list

A running gateway takes a change in with its next request. Only `--require-territories` makes it a limit.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from caregrid.errors import CaregridError, ConfigInvalid, Unauthorised
from storage_network import process
from storage_network.gateway import auth, territories
from storage_network.gateway.territories import Territory

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked for; return an exit code."""
    options = _parser().parse_args(arguments)
    path = options.root / territories.FILE_NAME
    try:
        known = territories.read(path)
        if options.command == "list":
            _print(known)
            return 0
        account = _account(options.account)
        others = [each for each in known if (each.account, each.name) != (account, options.name)]
        if options.command == "set":
            others.append(_territory(account, options))
        elif len(others) == len(known):
            raise ConfigInvalid("there is no such territory; `list` shows which there are")
        territories.write(path, others)
    except CaregridError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Give accounts space on a gateway.")
    parser.add_argument("--root", type=Path, required=True, help="the gateway's folder")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print all, one JSON object a line")
    for command, text in (("set", "give or change space"), ("remove", "take space back; objects stay")):
        named = commands.add_parser(command, help=text)
        named.add_argument("--account", required=True, help="SS58 address")
        named.add_argument("--name", required=True)
        if command == "set":
            named.add_argument("--total-bytes", type=process.positive, required=True)
            named.add_argument("--deadline", help="ISO 8601 with a time zone; default: none")
    return parser


def _account(address: str) -> bytes:
    try:
        return auth.account_of(address)
    except Unauthorised as exc:
        raise ConfigInvalid("the account is no SS58 address of CESS or of the generic kind") from exc


def _territory(account: bytes, options: argparse.Namespace) -> Territory:
    try:
        deadline = None if options.deadline is None else datetime.fromisoformat(options.deadline)
    except ValueError as exc:
        raise ConfigInvalid("give the deadline as in 2027-01-31T00:00:00Z") from exc
    return Territory(account=account, name=options.name, total=options.total_bytes, deadline=deadline)


def _print(known: Sequence[Territory]) -> None:
    for each in known:
        deadline = None if each.deadline is None else each.deadline.astimezone(UTC).isoformat()
        entry = {
            "account": auth.cess_address(each.account),
            "name": each.name,
            "total_bytes": each.total,
            "deadline": deadline,
        }
        sys.stdout.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    sys.exit(main())
