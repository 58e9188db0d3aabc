"""How long each request about proofs may take."""

from __future__ import annotations

from typing import Final

#: The gateway waits half a minute for a place at most, and its node's check of all tags takes a second.
TAGS_TIMEOUT_S: Final = 60.0
#: A look into one folder of one node.
HELD_TIMEOUT_S: Final = 45.0
#: A place at the gateway, and ten seconds for the node.
PROOF_TIMEOUT_S: Final = 45.0
