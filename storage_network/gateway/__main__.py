"""`python -m storage_network.gateway`: the gateway of a local storage network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from caregrid.errors import ConfigInvalid
from storage_network import files, process, tls
from storage_network.gateway import settings as defaults
from storage_network.gateway.app import make_app
from storage_network.gateway.journal import ABANDONED_AGE_S
from storage_network.gateway.moving import MoveSettings
from storage_network.gateway.settings import GatewaySettings, read_nodes
from storage_network.gateway.uploads import UploadLimits

if TYPE_CHECKING:
    import argparse
    import ssl
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gateway until SIGTERM; return its exit code."""
    options = _parser().parse_args(arguments)

    async def run() -> None:
        where = process.listening(options, _server_tls(options))
        settings = _settings(options)
        with files.own_folder(settings.root):
            await process.serve(make_app(settings), where, ready_file=options.ready_file)

    return process.run(run())


def _parser() -> argparse.ArgumentParser:
    parser = process.argument_parser("Serve DeOSS's HTTP API over storage nodes.")
    parser.add_argument(
        "--nodes-file", type=process.path, required=True, help='JSON: [{"node": name, "url": url}, ...]'
    )
    parser.add_argument("--tls-cert", type=process.path, help="certificate shown to clients, PEM")
    parser.add_argument("--tls-key", type=process.path, help="its key, PEM")
    parser.add_argument(
        "--nodes-tls", type=process.path, help="folder with certificate.pem, key.pem and ca.pem for the nodes"
    )
    parser.add_argument(
        "--max-object-size", type=process.positive, default=defaults.DEFAULT_MAX_OBJECT_SIZE, help="in bytes"
    )
    parser.add_argument(
        "--require-expiry", action="store_true", help="refuse signed messages that never expire (stock SDK's)"
    )
    parser.add_argument(
        "--require-territories", action="store_true", help="refuse uploads without space that was given"
    )
    _add_limits(parser)
    return parser


def _add_limits(parser: argparse.ArgumentParser) -> None:
    uploads, moving = UploadLimits(), MoveSettings()
    for name, kind, default, text in (
        ("account-rate", process.positive, defaults.DEFAULT_ACCOUNT_RATE, "requests a minute of an account"),
        ("address-rate", process.positive, defaults.DEFAULT_ADDRESS_RATE, "requests a minute of an address"),
        ("min-free-bytes", int, defaults.DEFAULT_MIN_FREE, "disk that uploads leave free"),
        ("unfinished-uploads", process.positive, uploads.per_account, "resumable uploads of an account"),
        ("unfinished-bytes", process.positive, uploads.bytes_per_account, "their bytes, of an account"),
        ("unfinished-bytes-in-all", process.positive, uploads.bytes_in_all, "their bytes, of everybody"),
        ("unfinished-age-s", float, uploads.age_s, "an untouched one is deleted after this"),
        ("abandoned-age-s", float, ABANDONED_AGE_S, "failed uploads' fragments go after this"),
        ("audit-interval-s", float, defaults.DEFAULT_AUDIT_INTERVAL_S, "between samples; 0: none"),
        ("move-interval-s", float, moving.interval_s, "between looks for fragments to move; 0: none move"),
        ("move-max-rate", process.positive, moving.max_rate, "bytes a second that are moved"),
        ("moved-age-s", float, moving.former_age_s, "a moved fragment goes from its old node after this"),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default, help=text)


def _settings(options: argparse.Namespace) -> GatewaySettings:
    nodes_tls = None if options.nodes_tls is None else tls.client_context(options.nodes_tls)
    return GatewaySettings(
        root=options.root,
        nodes=read_nodes(options.nodes_file),
        token=process.token_of(options, required=nodes_tls is None),
        nodes_tls=nodes_tls,
        max_object_size=options.max_object_size,
        require_expiry=options.require_expiry,
        require_territories=options.require_territories,
        account_rate=options.account_rate,
        address_rate=options.address_rate,
        min_free=options.min_free_bytes,
        uploads=UploadLimits(
            per_account=options.unfinished_uploads,
            bytes_per_account=options.unfinished_bytes,
            bytes_in_all=options.unfinished_bytes_in_all,
            age_s=options.unfinished_age_s,
        ),
        abandoned_age_s=options.abandoned_age_s,
        audit_interval_s=options.audit_interval_s,
        moving=MoveSettings(
            interval_s=options.move_interval_s,
            max_rate=options.move_max_rate,
            former_age_s=options.moved_age_s,
        ),
    )


def _server_tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.tls_cert is None and options.tls_key is None:
        return None
    if options.tls_cert is None or options.tls_key is None:
        raise ConfigInvalid("a certificate needs its key; give --tls-cert and --tls-key")
    return tls.server_context(options.tls_cert, options.tls_key)


if __name__ == "__main__":
    sys.exit(main())
