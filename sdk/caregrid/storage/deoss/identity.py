"""The headers that say in whose name a request is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scalecodec.utils.ss58 import ss58_encode

from caregrid.errors import ConfigInvalid
from caregrid.records import ACCOUNT_LEN

if TYPE_CHECKING:
    from collections.abc import Callable

#: A signed message is good for one request that starts at once, whatever the two clocks say.
MESSAGE_LIFETIME_S: Final = 60

_GENERIC_SS58: Final = 42
_SIGNATURE_LEN: Final = 64


class Identity:
    """An account that signs requests with its sr25519 key.

    Raises:
        ConfigInvalid: the account is not one.
    """

    def __init__(
        self, account: bytes, sign: Callable[[bytes], bytes], territory: str, now: Callable[[], float]
    ) -> None:
        if len(account) != ACCOUNT_LEN:
            raise ConfigInvalid(f"an account is {ACCOUNT_LEN} bytes, not {len(account)}")
        self._account, self._sign, self._now = account, sign, now
        self.territory = territory

    @property
    def address(self) -> str:
        """The account as text."""
        return str(ss58_encode(self._account, _GENERIC_SS58))

    def headers(self) -> dict[str, str]:
        """Return the headers of one request, signed now.

        Raises:
            ConfigInvalid: what signs gives no sr25519 signatures.
        """
        message = str(int(self._now()) + MESSAGE_LIFETIME_S)
        signature = self._sign(message.encode())
        if len(signature) != _SIGNATURE_LEN:
            raise ConfigInvalid(f"a signature is {_SIGNATURE_LEN} bytes, not {len(signature)}")
        return {
            "Account": self.address,
            "Message": message,
            "Signature": "0x" + signature.hex(),
            "Territory": self.territory,
        }
