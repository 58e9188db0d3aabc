"""TLS between the network's processes: a folder each with `certificate.pem`, `key.pem` and `ca.pem`.

`python -m storage_network.certificates` makes such folders. A node's certificate serves only, so that a node
cannot pass for the gateway at another one.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from caregrid.errors import ConfigInvalid

if TYPE_CHECKING:
    from pathlib import Path

CERTIFICATE: Final = "certificate.pem"
KEY: Final = "key.pem"
CA: Final = "ca.pem"


def node_context(folder: Path) -> ssl.SSLContext:
    """Return what a node serves with: only a client with a certificate of the folder's authority is let in.

    Raises:
        ConfigInvalid: a file is missing or does not fit.
    """
    context = server_context(folder / CERTIFICATE, folder / KEY)
    _trust_only(context, folder / CA)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what a gateway serves its clients with; they sign their requests. Raises as `node_context`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _show(context, certificate, key)
    return context


def client_context(folder: Path) -> ssl.SSLContext:
    """Return what a gateway asks its nodes with. Raises as `node_context`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _trust_only(context, folder / CA)
    _show(context, folder / CERTIFICATE, folder / KEY)
    return context


def _show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigInvalid(
            f"{certificate} and {key} are no certificate with its key; check the paths"
        ) from exc


def _trust_only(context: ssl.SSLContext, authority: Path) -> None:
    try:
        context.load_verify_locations(authority)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigInvalid(f"{authority} is no authority's certificate; check the path") from exc
