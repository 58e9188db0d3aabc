"""One connection to one node. Imports the library: load on first use."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from substrateinterface import SubstrateInterface
from substrateinterface.exceptions import SubstrateRequestException

from caregrid.chain import runtimes
from caregrid.chain.answers import Answers, key_of
from caregrid.chain.exclusion import CODEC
from caregrid.chain.faults import AnswerGarbled, NodeBehind
from caregrid.chain.port import BlockRef
from caregrid.chain.runtimes import Runtime, Version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain.answers import AnswerCache

#: One request to a node on the same site answers in milliseconds, one for the metadata in a second or two.
RPC_TIMEOUT_S: Final = 20.0
#: Blocks whose headers and versions are remembered: those that the next questions are likely to be about.
_REMEMBERED: Final = 64


class Client(SubstrateInterface):  # type: ignore[misc] # the library ships no types
    """The library's client with a transport of its own, and told which runtime to use.

    The library's transport waits for ever on a node that sends anything but the answer, keeps what nobody
    asked for, and logs every call. Its choice of the runtime is that of a block's parent, which is wrong for
    signing while an upgrade is applied.

    All methods are for who holds :data:`caregrid.chain.exclusion.CODEC`.
    """

    def __init__(self, socket: Any, cache: AnswerCache | None = None) -> None:
        """Take over a WebSocket; ask nothing yet."""
        super().__init__(websocket=socket, auto_reconnect=False, auto_discover=False)
        self._socket = socket
        self._answers = None if cache is None else Answers(cache)
        self._parents: OrderedDict[str, str] = OrderedDict()
        self._versions: OrderedDict[str, Version] = OrderedDict()
        self.genesis = ""
        self.runtime: Runtime | None = None
        self.final = -1  #: the highest number that was ever final, here or elsewhere; nothing older counts
        self._final_here = -1

    def rpc_request(self, method: str, params: Sequence[Any] | None, result_handler: Any = None) -> Any:
        """Ask the node and wait for its answer, while others may decode theirs.

        Raises:
            SubstrateRequestException: the node's error.
            OSError: the connection broke, or there was no answer in time.
        """
        if result_handler is not None:
            raise NotImplementedError("this client does not subscribe: whatever is missed comes by number")
        answers = self._answers
        key = None if answers is None else key_of(self.genesis, method, params or ())
        if answers is None or key is None:
            return self._asked(method, params)
        with CODEC.given_up():
            known = answers.found(key)
        if known is not None:
            return {"result": known}
        answer = self._asked(method, params)
        with CODEC.given_up():
            answers.keep(key, answer["result"])
        return answer

    def _asked(self, method: str, params: Sequence[Any] | None) -> Any:
        self.request_id += 1
        with CODEC.given_up():
            answer = self._exchange(method, params)
        if "error" in answer:
            raise SubstrateRequestException(answer["error"])
        return answer

    def _exchange(self, method: str, params: Sequence[Any] | None) -> Any:
        number, deadline = self.request_id, time.monotonic() + RPC_TIMEOUT_S
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params or ())}
        self._socket.settimeout(RPC_TIMEOUT_S)
        self._socket.send(json.dumps(request))
        while (left_s := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            answer = _parsed(self._socket.recv())
            # Anything else is a notification, which nobody has asked for.
            if answer.get("id") == number and ("result" in answer or "error" in answer):
                return answer
        raise TimeoutError

    def reload_type_registry(self, use_remote_preset: bool = False, auto_discover: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's
        """Do nothing: a registry belongs to a runtime, and never changes."""

    def init_runtime(self, block_hash: str | None = None, block_id: int | None = None) -> None:
        """Use the runtime that executed a block; the library asks for it before it reads anything.

        That is the one in its parent's state: a block that applies an upgrade still ran on the old one.
        Without a block the runtime stays: who composes a call has chosen it before.
        """
        if block_hash is None and block_id is None:
            return
        block = block_hash or self.get_block_hash(block_id)
        self.use_runtime_at(self.parent(block) if int(self.parent(block), 16) else block)

    def use_runtime_at(self, block_hash: str) -> Runtime:
        """Use the runtime in a block's state, which will execute the next block."""
        found = runtimes.runtime(self, self.version_at(block_hash), block_hash)
        self.runtime, self.metadata, self.runtime_config = found, found.metadata, found.registry
        self.runtime_version, self.transaction_version = found.version.spec, found.version.transaction
        return found

    def version_at(self, block_hash: str) -> Version:
        """Return the version of the runtime in a block's state."""
        if block_hash not in self._versions:
            answer = self.rpc_request("state_getRuntimeVersion", [block_hash])["result"]
            version = Version(spec=answer["specVersion"], transaction=answer["transactionVersion"])
            _remember(self._versions, block_hash, version)
        return self._versions[block_hash]

    def parent(self, block_hash: str) -> str:
        """Return the hash of a block's parent; zeros for block 0."""
        if block_hash not in self._parents:
            self.header(block_hash)
        return self._parents[block_hash]

    def header(self, block_hash: str) -> dict[str, Any]:
        """Return a block's header, as the node writes it.

        Raises:
            NodeBehind: the node does not know the block.
        """
        return self._noted(block_hash, self.rpc_request("chain_getHeader", [block_hash])["result"])

    def _noted(self, block_hash: str, header: dict[str, Any] | None) -> dict[str, Any]:
        if header is None:
            raise NodeBehind
        _remember(self._parents, block_hash, header["parentHash"])
        return header

    def final_head(self) -> BlockRef:
        """Return the last finalized block.

        Raises:
            NodeBehind: a later one was final before; the node has yet to catch up.
        """
        head = self.rpc_request("chain_getFinalizedHead", [])["result"]
        # Of this node, and not out of a cache: one that does not know its own head is not to be believed.
        number = int(self._noted(head, self._asked("chain_getHeader", [head])["result"])["number"], 16)
        if number < self.final:
            raise NodeBehind(self.final - number)
        self.final = self._final_here = number
        return BlockRef(number=number, hash=bytes.fromhex(head[2:]))

    def final_hash(self, number: int) -> str:
        """Return the hash of a finalized block.

        Raises:
            NodeBehind: the block is not final here. Its best block of that number may not stay.
        """
        if number > self._final_here and number > self.final_head().number:
            raise NodeBehind
        block_hash: str | None = self.get_block_hash(number)
        if block_hash is None:
            raise NodeBehind
        return block_hash

    def get_chain_finalised_head(self) -> str:
        """Return the hash of the last finalized block; see `final_head`."""
        return "0x" + self.final_head().hash.hex()


def _parsed(text: Any) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError as exc:
        # Nothing at all comes when the other side closes the connection.
        raise AnswerGarbled from exc
    if not isinstance(answer, dict):
        raise AnswerGarbled
    return answer


def _remember(known: OrderedDict[str, Any], key: str, value: Any) -> None:
    known[key] = value
    while len(known) > _REMEMBERED:
        known.popitem(last=False)
