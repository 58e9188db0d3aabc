"""The CESS chain, where what objects are stored in is the CESS network."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, PositiveFloat, model_validator
from pydantic_settings import NoDecode

from caregrid.errors import InputInvalid
from caregrid.keys import decode_account
from ocw_sidecar.settings.part import Part

_HASH_LEN: Final = 32
#: Nodes of the chain, and gateways, that are named at most.
_MAX_NAMED: Final = 16


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _hash(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except ValueError:
        raise ValueError("a block's hash is 64 hex digits") from None


def _account(value: Any) -> Any:
    try:
        return decode_account(value) if isinstance(value, str) else value
    except InputInvalid as exc:
        raise ValueError(str(exc)) from exc


Hash = Annotated[bytes, BeforeValidator(_hash), Field(min_length=_HASH_LEN, max_length=_HASH_LEN)]
Urls = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed), Field(max_length=_MAX_NAMED)]
Account = Annotated[bytes, BeforeValidator(_account), Field(min_length=32, max_length=32)]
Accounts = Annotated[tuple[Account, ...], NoDecode, BeforeValidator(_listed), Field(max_length=_MAX_NAMED)]


class CessSettings(Part):
    """The table `[storage.cess]`; without `rpc_urls` no such chain is asked."""

    rpc_urls: Urls = ()  #: nodes that one trusts, the preferred one first: ws://, wss://, http:// or https://
    genesis: Hash | None = None  #: the hash of the chain's block 0; a node of another chain never serves
    timeout_s: PositiveFloat = 60.0  #: for what is asked at once, over all nodes
    max_head_age_s: PositiveFloat = 3600.0  #: a node whose last finalized block is older does not serve
    gateway_accounts: Accounts = ()  #: of the gateways, which `doctor` looks for among those authorised

    @model_validator(mode="after")
    def _require_genesis(self) -> Self:
        if self.rpc_urls and self.genesis is None:
            raise ValueError("set `storage.cess.genesis` to the hash of block 0 of your CESS chain")
        return self

    @property
    def is_used(self) -> bool:
        """Whether there is such a chain."""
        return bool(self.rpc_urls)

    @property
    def max_head_age(self) -> timedelta:
        """The age of a node's last finalized block up to which it serves."""
        return timedelta(seconds=self.max_head_age_s)
