"""The accounts that may act for an organisation: `EmrClient.operators`, for the organisation's own account.

The chain takes the whole list at once. Two people who change it at the same time can undo one another's
change, so `add` and `remove` return what stands afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.chain import calls
from caregrid.errors import InputInvalid

if TYPE_CHECKING:
    from caregrid.blocking import Run
    from caregrid.chain import Call, Chain, Submitter


class Operators:
    """The operators of the organisation whose account signs."""

    def __init__(self, chain: Chain, submitter: Submitter, account: bytes) -> None:
        self._chain, self._submitter, self._account = chain, submitter, account

    async def list(self) -> frozenset[bytes]:
        """Return the operators' accounts.

        Raises:
            InputInvalid: the account is no organisation.
        """
        found = await self._chain.organisation(self._account)
        if found is None:
            raise InputInvalid("this account is no organisation; use a profile with the organisation's key")
        return found.operators

    async def add(self, account: bytes, *, plancks: int = 0) -> frozenset[bytes]:
        """Let an account act for the organisation, and return the operators when that is final.

        Args:
            account: 32 bytes; one that is an operator already stays one.
            plancks: what it is given first, for fees and deposits.

        Raises:
            InputInvalid: as `list`; or there are 32 operators already.
        """
        before = await self.list()
        wanted: list[Call] = [calls.transfer(account, plancks)] if plancks else []
        if account not in before:
            wanted.append(calls.set_operators(sorted(before | {account})))
        if wanted:
            await self._submitter.submit(calls.batch_all(wanted))
        return await self.list()

    async def remove(self, account: bytes) -> frozenset[bytes]:
        """Let an account act no more, and return the operators when that is final.

        Raises:
            InputInvalid: as `list`; or the account is none of the operators.
        """
        before = await self.list()
        if account not in before:
            raise InputInvalid("this account is no operator of the organisation; `operators list` shows them")
        await self._submitter.submit(calls.set_operators(sorted(before - {account})))
        return await self.list()


class BlockingOperators:
    """As the asynchronous one, each call blocking."""

    def __init__(self, operators: Operators, run: Run) -> None:
        self._operators, self._run = operators, run

    def list(self) -> frozenset[bytes]:
        """As :meth:`Operators.list`."""
        return self._run(self._operators.list())

    def add(self, account: bytes, *, plancks: int = 0) -> frozenset[bytes]:
        """As :meth:`Operators.add`."""
        return self._run(self._operators.add(account, plancks=plancks))

    def remove(self, account: bytes) -> frozenset[bytes]:
        """As :meth:`Operators.remove`."""
        return self._run(self._operators.remove(account))
