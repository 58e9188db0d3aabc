"""Bounds of the development runtime, for checks before signing; a test compares them with its metadata.

Another runtime may set others: its refusal comes as an exception, too, only later.
"""

from __future__ import annotations

from typing import Final

#: Accounts that may act for an organisation.
MAX_OPERATORS: Final = 32
#: Accounts in an organisation's emergency role.
MAX_EMERGENCY_MEMBERS: Final = 32
#: Items in one batch of records, patients, keys, reports or expired things.
MAX_BATCH: Final = 128
#: Records in one object.
MAX_RECORDS_PER_OBJECT: Final = 65_536
#: Grants on one scope; emergency access may exceed it by the number of members.
MAX_GRANTS_PER_SCOPE: Final = 64
#: Networks that one clean-up removes.
MAX_CLEANUP: Final = 128
#: Bytes of an attack signature's text.
MAX_PATTERN_LEN: Final = 2_048
#: Entries that one page of the runtime's `EmrApi` looks at.
MAX_PAGE: Final = 256

_HOURS: Final = 1_800  # blocks of two seconds
_DAYS: Final = 24 * _HOURS
#: How far ahead a grant may expire, in blocks.
MAX_GRANT_DURATION: Final = 10 * 365 * _DAYS
#: How far ahead an access request may expire, in blocks.
MAX_REQUEST_DURATION: Final = 30 * _DAYS
#: How long emergency access lasts, in blocks.
EMERGENCY_DURATION: Final = 4 * _HOURS
#: How far ahead a blocked network may expire, in blocks.
MAX_BLOCK_DURATION: Final = 90 * _DAYS
