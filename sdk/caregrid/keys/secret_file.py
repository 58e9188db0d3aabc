"""Short secrets that a service is given in files: passphrases, PINs, tokens.

`credential:NAME` in place of a path is the systemd credential of that name (`LoadCredential=` in
systemd.exec(5)).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, Final

from caregrid.errors import ConfigInvalid, KeyStoreLocked

#: Where systemd puts the credentials of a service.
CREDENTIALS_VARIABLE: Final = "CREDENTIALS_DIRECTORY"
MAX_SECRET_BYTES: Final = 8192

_CREDENTIAL: Final = "credential:"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def is_credential(path: Path) -> bool:
    """Tell whether this names a systemd credential."""
    return str(path).startswith(_CREDENTIAL)


def resolved(path: Path) -> Path:
    """Return where a secret is, given its path or `credential:NAME`.

    Raises:
        ConfigInvalid: systemd gave this process no credentials, or the name is none.
    """
    if not is_credential(path):
        return path
    text = str(path)
    name, folder = text.removeprefix(_CREDENTIAL), os.environ.get(CREDENTIALS_VARIABLE)
    if not name or "/" in name or name in {".", ".."}:
        raise ConfigInvalid(f"{text} names no credential; write credential:NAME")
    if not folder:
        raise ConfigInvalid(f"{text} needs systemd; give the unit `LoadCredential={name}:PATH`")
    return Path(folder) / name


def read_secret(path: Path, *, private: bool = True) -> str:
    """Return the text of a secret's file, without the end of the line that editors add.

    Args:
        path: the file, or `credential:NAME`.
        private: refuse a file that others can read; what systemd gives is never refused.

    Raises:
        ConfigInvalid: there is no such file, or no text in it.
        KeyStoreLocked: others can read it.
    """
    real = resolved(path)
    try:
        with real.open("rb") as file:
            if private and not is_credential(path):
                require_private(file, path)
            secret = file.read(MAX_SECRET_BYTES).decode().rstrip("\r\n")
    except FileNotFoundError as exc:
        raise ConfigInvalid(
            f"there is no file {real}; write it, or correct its path in the settings"
        ) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigInvalid(f"the file {real} cannot be read as text; check its owner and content") from exc
    if not secret:
        raise ConfigInvalid(f"the file {real} is empty; write the secret into it")
    return secret


def require_private(file: IO[bytes], path: Path) -> None:
    """Refuse an open file that others than its owner can read or change.

    Raises:
        KeyStoreLocked: they can.
    """
    if others_may(os.fstat(file.fileno()).st_mode):
        raise KeyStoreLocked(
            f"others can read or change {path}; `chmod 600` it, and think of who has read it"
        )


def others_may(mode: int) -> bool:
    """Tell whether a file's mode gives others than its owner anything; on Windows modes say nothing."""
    return os.name != "nt" and bool(mode & _OTHERS)
