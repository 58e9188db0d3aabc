"""One small secret in a file, sealed under a passphrase.

The file is JSON: Argon2id turns the passphrase into an AES-256-GCM key, with the salt and costs that the file
states; everything else in the file is associated data, so no field can change unnoticed.
"""

from __future__ import annotations

import json
import os
import secrets
import unicodedata
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from caregrid.disk import replacing, sync_folder
from caregrid.errors import InputInvalid, InputMissing, KeyStoreLocked
from caregrid.keys.secret_file import require_private

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Unlocked:
    """A file whose passphrase was given: reads and replaces its secret without asking for it again."""

    path: Path
    purpose: str
    _kdf: dict[str, Any] = field(repr=False)
    _key: bytes = field(repr=False)

    def read(self) -> bytes:
        """Return the secret as the file has it now.

        Raises:
            KeyStoreLocked: the passphrase was changed meanwhile, or the file damaged or unreadable.
            InputMissing: the file is gone.
        """
        head = _load(self.path, self.purpose)
        if head.get("kdf") != self._kdf:
            raise KeyStoreLocked("the key file has another passphrase now; start again to open it with that")
        return _opened(head, self._key)

    def replace(self, secret: bytes) -> None:
        """Put a secret in the place of the other; a crash or a full disk leaves either, whole.

        Raises:
            DiskLow: there is no room; the file is as it was.
            InputInvalid: the file cannot be written.
        """
        content = _sealed(secret, self.purpose, self._kdf, self._key)
        try:
            with replacing(self.path) as file:
                file.write(content)
        except OSError as exc:
            raise InputInvalid(f"the key file cannot be written ({exc.strerror}); check its folder") from exc


def write_new(path: Path, passphrase: str, secret: bytes, *, purpose: str, cost: KdfCost) -> Unlocked:
    """Seal a secret into a new file, readable by its owner only; it appears whole, on disk, or not at all.

    Raises:
        InputInvalid: the file exists already, its folder does not, or the passphrase is too short.
    """
    if len(passphrase) < MIN_PASSPHRASE_LENGTH:
        raise InputInvalid(f"choose a passphrase of at least {MIN_PASSPHRASE_LENGTH} characters")
    salt = secrets.token_bytes(_SALT_LEN)
    kdf = {"name": _KDF, "salt": salt.hex(), **asdict(cost)}
    key = _derive(passphrase, salt, cost)
    _write_once(path, _sealed(secret, purpose, kdf, key))
    return Unlocked(path=path, purpose=purpose, _kdf=kdf, _key=key)


def read(path: Path, passphrase: str, *, purpose: str) -> bytes:
    """Return the secret of a file that `write_new` made for the same purpose.

    Raises:
        KeyStoreLocked: the passphrase is wrong, or the file damaged, of another purpose, unreadable, or
            readable by others.
        InputMissing: there is no such file.
    """
    return unlock(path, passphrase, purpose=purpose)[1]


def unlock(path: Path, passphrase: str, *, purpose: str) -> tuple[Unlocked, bytes]:
    """Return the file, unlocked, and its secret; otherwise as `read`."""
    head = _load(path, purpose)
    try:
        kdf = head["kdf"]
        key = _derive(passphrase, *_kdf_of(head))
    except (InputInvalid, KeyError, TypeError, ValueError) as exc:
        raise KeyStoreLocked from exc
    return Unlocked(path=path, purpose=purpose, _kdf=kdf, _key=key), _opened(head, key)


def _sealed(secret: bytes, purpose: str, kdf: dict[str, Any], key: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_LEN)
    head = {
        "version": _VERSION,
        "purpose": purpose,
        "kdf": kdf,
        "cipher": _CIPHER,
        "nonce": nonce.hex(),
    }
    sealed = AESGCM(key).encrypt(nonce, secret, _canonical(head))
    return json.dumps({**head, "ciphertext": sealed.hex()}, indent=2).encode() + b"\n"


def _opened(head: dict[str, Any], key: bytes) -> bytes:
    try:
        sealed, nonce = bytes.fromhex(head.pop("ciphertext")), bytes.fromhex(head["nonce"])
        return AESGCM(key).decrypt(nonce, sealed, _canonical(head))
    except (InvalidTag, KeyError, TypeError, ValueError) as exc:
        raise KeyStoreLocked from exc


def _load(path: Path, purpose: str) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            require_private(file, path)
            head = json.loads(file.read(MAX_FILE_BYTES))
    except FileNotFoundError as exc:
        raise InputMissing from exc
    except (OSError, ValueError, RecursionError) as exc:
        raise KeyStoreLocked from exc
    if not isinstance(head, dict) or head.get("version") != _VERSION or head.get("cipher") != _CIPHER:
        raise KeyStoreLocked
    if head.get("purpose") != purpose:
        raise KeyStoreLocked("this key file was made for something else; check which file is configured")
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
