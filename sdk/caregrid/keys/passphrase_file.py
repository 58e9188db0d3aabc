"""One small secret in a file, sealed under a passphrase.

The file is JSON: Argon2id turns the passphrase into an AES-256-GCM key, with the salt and costs that the file
states; everything else in the file is associated data, so no field can change unnoticed.
"""

from __future__ import annotations

import json
import os
import secrets
import unicodedata
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from caregrid.disk import sync_folder
from caregrid.errors import InputInvalid, InputMissing, KeyStoreLocked

if TYPE_CHECKING:
    from pathlib import Path

#: NIST SP 800-63B: the least for a secret that a person remembers.
MIN_PASSPHRASE_LENGTH: Final = 8
#: No file of ours comes near this; more is not read.
MAX_FILE_BYTES: Final = 16_384

_VERSION: Final = 1
_CIPHER: Final = "aes-256-gcm"
_KDF: Final = "argon2id"
_KEY_LEN: Final = 32
_SALT_LEN: Final = 16
_NONCE_LEN: Final = 12


def _require_within(name: str, value: int, least: int, most: int) -> None:
    if not isinstance(value, int) or not least <= value <= most:
        raise InputInvalid(f"{name} must be a whole number from {least} to {most}")


@dataclass(frozen=True, kw_only=True, slots=True)
class KdfCost:
    """What one guess of the passphrase costs, in Argon2id's terms; the default is RFC 9106's second choice.

    Raises:
        InputInvalid: a cost is outside its bounds.
    """

    memory_kib: int = 65_536
    iterations: int = 3
    lanes: int = 4

    def __post_init__(self) -> None:
        # The upper bounds keep a forged file from holding up whoever opens it.
        _require_within("lanes", self.lanes, 1, 16)
        _require_within("iterations", self.iterations, 1, 16)
        _require_within("memory_kib", self.memory_kib, 8 * self.lanes, 1 << 21)


DEFAULT_COST: Final = KdfCost()


def write_new(path: Path, passphrase: str, secret: bytes, *, purpose: str, cost: KdfCost) -> None:
    """Seal a secret into a new file, readable by its owner only; it appears whole, on disk, or not at all.

    Raises:
        InputInvalid: the file exists already, its folder does not, or the passphrase is too short.
    """
    if len(passphrase) < MIN_PASSPHRASE_LENGTH:
        raise InputInvalid(f"choose a passphrase of at least {MIN_PASSPHRASE_LENGTH} characters")
    salt, nonce = secrets.token_bytes(_SALT_LEN), secrets.token_bytes(_NONCE_LEN)
    head = {
        "version": _VERSION,
        "purpose": purpose,
        "kdf": {"name": _KDF, "salt": salt.hex(), **asdict(cost)},
        "cipher": _CIPHER,
        "nonce": nonce.hex(),
    }
    sealed = AESGCM(_derive(passphrase, salt, cost)).encrypt(nonce, secret, _canonical(head))
    _write_once(path, json.dumps({**head, "ciphertext": sealed.hex()}, indent=2).encode() + b"\n")


def read(path: Path, passphrase: str, *, purpose: str) -> bytes:
    """Return the secret of a file that `write_new` made for the same purpose.

    Raises:
        KeyStoreLocked: the passphrase is wrong, or the file damaged, of another purpose or unreadable.
        InputMissing: there is no such file.
    """
    head = _load(path)
    if head.get("purpose") != purpose:
        raise KeyStoreLocked("this key file was made for something else; check which file is configured")
    try:
        sealed, nonce = bytes.fromhex(head.pop("ciphertext")), bytes.fromhex(head["nonce"])
        key = _derive(passphrase, *_kdf_of(head))
        return AESGCM(key).decrypt(nonce, sealed, _canonical(head))
    except (InvalidTag, InputInvalid, KeyError, TypeError, ValueError) as exc:
        raise KeyStoreLocked from exc


def _load(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            head = json.loads(file.read(MAX_FILE_BYTES))
    except FileNotFoundError as exc:
        raise InputMissing from exc
    except (OSError, ValueError, RecursionError) as exc:
        raise KeyStoreLocked from exc
    if not isinstance(head, dict) or head.get("version") != _VERSION or head.get("cipher") != _CIPHER:
        raise KeyStoreLocked
    return head


def _kdf_of(head: dict[str, Any]) -> tuple[bytes, KdfCost]:
    kdf = dict(head["kdf"])
    if kdf.pop("name") != _KDF:
        raise KeyStoreLocked
    return bytes.fromhex(kdf.pop("salt")), KdfCost(**kdf)


def _derive(passphrase: str, salt: bytes, cost: KdfCost) -> bytes:
    # Keyboards differ in how they compose an accented letter; NFC makes them agree (RFC 8265).
    secret = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    kdf = Argon2id(
        salt=salt,
        length=_KEY_LEN,
        iterations=cost.iterations,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
    )
    return kdf.derive(secret)


def _canonical(head: dict[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True, separators=(",", ":")).encode()


def _write_once(path: Path, content: bytes) -> None:
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(part)  # unlike a rename, this never replaces a file
    except FileExistsError as exc:
        raise InputInvalid("there is a key file already; open it, or choose another path") from exc
    except OSError as exc:
        raise InputInvalid(f"the key file cannot be written ({exc.strerror}); choose another folder") from exc
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)
