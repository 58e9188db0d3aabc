"""SoftHSM2 of Debian's package for tests: tokens in a temporary folder of this process."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pkcs11

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE: Final = Path("/usr/lib/softhsm/libsofthsm2.so")
TOOL_TIMEOUT_S: Final = 60.0
CONFIGURATION: Final = "SOFTHSM2_CONF"


@dataclass(frozen=True, kw_only=True)
class SoftToken:
    """A fresh token."""

    label: str
    pin: str


class SoftHsm:
    """Makes tokens; the module of this process sees them."""

    def __init__(self, folder: Path) -> None:
        self._tokens = folder / "tokens"
        self._tokens.mkdir()
        self.configuration = folder / "softhsm2.conf"
        self.configuration.write_text(
            f"directories.tokendir = {self._tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )

    def new_token(self) -> SoftToken:
        """Make a token."""
        token = SoftToken(label=secrets.token_hex(6), pin=secrets.token_hex(6))
        tool = shutil.which("softhsm2-util")
        assert tool is not None, "softhsm2 is not installed; run `scripts/test`, which installs it"
        command = [tool, "--init-token", "--free", "--label", token.label]
        subprocess.run(
            [*command, "--pin", token.pin, "--so-pin", secrets.token_hex(6)],
            check=True,
            capture_output=True,
            timeout=TOOL_TIMEOUT_S,
            env=os.environ | {CONFIGURATION: str(self.configuration)},
        )
        self.plug_in_again()
        return token

    def plug_in_again(self) -> None:
        """Have the module lose every session, login and handle, and look for tokens anew."""
        self.module().reinitialize()

    def module(self) -> Any:
        """Return the module, loaded."""
        return pkcs11.lib(str(MODULE))


def soft_hsm(folder: Path) -> Iterator[SoftHsm]:
    """Give a SoftHSM2 of its own to this process; for a fixture of the session."""
    before = os.environ.get(CONFIGURATION)
    made = SoftHsm(folder)
    os.environ[CONFIGURATION] = str(made.configuration)
    try:
        yield made
    finally:
        if before is None:
            del os.environ[CONFIGURATION]
        else:
            os.environ[CONFIGURATION] = before
