"""How long each question to a node may take, and how much it may answer."""

from __future__ import annotations

from typing import Final

#: A node that takes longer to accept a connection, TLS and WebSocket included, is down.
CONNECT_TIMEOUT_S: Final = 5.0
#: Saying goodbye to a node is a courtesy.
CLOSE_TIMEOUT_S: Final = 1.0

#: What a node has in memory: answered in milliseconds, over a long way in a second.
GENESIS_TIMEOUT_S: Final = 10.0
HEALTH_TIMEOUT_S: Final = 10.0
HEAD_TIMEOUT_S: Final = 10.0
HEADER_TIMEOUT_S: Final = 10.0
TIME_TIMEOUT_S: Final = 10.0
#: A block's hash by number is a look-up on disk.
ANCESTOR_TIMEOUT_S: Final = 10.0
#: The first question about a runtime makes the node compile it.
VERSION_TIMEOUT_S: Final = 20.0

#: A file has up to 1,000 segments and 50,000 owners: 19 MB of text over a slow line.
FILE_TIMEOUT_S: Final = 60.0
#: A deal is a file with one owner.
DEAL_TIMEOUT_S: Final = 30.0
#: An account's list is as long as an answer may be.
HELD_TIMEOUT_S: Final = 60.0
#: One small value each.
MINER_TIMEOUT_S: Final = 20.0
RESTORAL_TIMEOUT_S: Final = 20.0
TERRITORY_TIMEOUT_S: Final = 20.0
OPERATORS_TIMEOUT_S: Final = 20.0
AUDIT_TIMEOUT_S: Final = 20.0
#: A page of miners, 3 kB each, or of their audits, up to 30 kB each.
MINERS_TIMEOUT_S: Final = 30.0

#: Bytes of one answer: the largest file fits, and so does a list of some 100,000 files.
MAX_ANSWER: Final = 24 * 1024 * 1024
#: Entries, as of miners, that are asked for in one question.
MINERS_PAGE: Final = 64
