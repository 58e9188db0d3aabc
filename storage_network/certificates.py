"""`python -m storage_network.certificates`: an authority of one's own, and certificates for each process.

::

    certificates authority --folder ca
    certificates issue --authority ca --role node --host 10.0.0.5 --host node-00.example --folder node-00

The authority's key signs nothing else, so what it signed is of this network. Keep its folder off the servers.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from caregrid.errors import CaregridError, ConfigInvalid
from storage_network import process, tls

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_AUTHORITY_DAYS: Final = 3650
DEFAULT_DAYS: Final = 397

#: Clocks of two servers may differ; a certificate is good from a little before it was made.
_BACKDATED: Final = timedelta(minutes=5)


class Role(StrEnum):
    """What a certificate is for."""

    NODE = "node"  #: serves
    GATEWAY = "gateway"  #: serves clients, and asks nodes


_USAGES: Final = {
    Role.NODE: [ExtendedKeyUsageOID.SERVER_AUTH],
    Role.GATEWAY: [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
}


def make_authority(folder: Path, *, lifetime: timedelta) -> None:
    """Make an authority: a certificate `ca.pem` and its key, in a new folder.

    Raises:
        ConfigInvalid: there is one already.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("CareGrid storage authority")
    certificate = (
        _builder(name, name, key.public_key(), lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder, {tls.KEY: _pem_of_key(key), tls.CA: _pem(certificate)})


def issue(authority: Path, folder: Path, role: Role, hosts: Sequence[str], *, lifetime: timedelta) -> None:
    """Make a certificate that names hosts, with its key and the authority's certificate, in a new folder.

    Raises:
        ConfigInvalid: there is one already, no host is named, or the authority's folder holds none.
    """
    if not hosts:
        raise ConfigInvalid("name the hosts under which the process is reached; give --host")
    issuer, issuer_key = _load(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name(f"CareGrid storage {role}"), issuer.subject, key.public_key(), lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_USAGES[role]), critical=True)
        .add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )
    _write(folder, {tls.KEY: _pem_of_key(key), tls.CERTIFICATE: _pem(certificate), tls.CA: _pem(issuer)})


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is asked for; return an exit code."""
    options = _parser().parse_args(arguments)
    lifetime = timedelta(days=options.days)
    try:
        if options.command == "authority":
            make_authority(options.folder, lifetime=lifetime)
        else:
            issue(options.authority, options.folder, options.role, options.host, lifetime=lifetime)
    except CaregridError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Make certificates for a storage network.")
    commands = parser.add_subparsers(dest="command", required=True)
    authority = commands.add_parser("authority", help="make an authority")
    authority.add_argument("--folder", type=Path, required=True)
    authority.add_argument("--days", type=process.positive, default=DEFAULT_AUTHORITY_DAYS)
    leaf = commands.add_parser("issue", help="make a certificate for a node or a gateway")
    leaf.add_argument("--authority", type=Path, required=True, help="the authority's folder")
    leaf.add_argument("--folder", type=Path, required=True, help="new folder for certificate and key")
    leaf.add_argument("--role", type=Role, choices=list(Role), required=True)
    leaf.add_argument("--host", action="append", required=True, help="name or IP address; repeatable")
    leaf.add_argument("--days", type=process.positive, default=DEFAULT_DAYS)
    return parser


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, now + lifetime) - _BACKDATED)
        .not_valid_after(now + lifetime)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _load(authority: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate((authority / tls.CA).read_bytes())
        key = serialization.load_pem_private_key((authority / tls.KEY).read_bytes(), password=None)
    except (OSError, ValueError) as exc:
        raise ConfigInvalid(f"{authority} holds no authority; make one first") from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigInvalid(f"{authority} holds a key that this program has not made")
    return certificate, key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in contents.items():
        try:
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as exc:
            raise ConfigInvalid(f"{folder / name} is there already; choose another folder") from exc
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)


if __name__ == "__main__":
    sys.exit(main())
