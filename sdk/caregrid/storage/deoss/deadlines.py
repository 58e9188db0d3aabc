"""How long each request may take, beyond the transfer itself."""

from __future__ import annotations

from typing import Final

#: A gateway that takes longer to accept a connection is down.
CONNECT_TIMEOUT_S: Final = 5.0
#: A gateway restores a segment from parity in a few seconds; without a byte for this long, it hangs.
STALL_TIMEOUT_S: Final = 60.0
#: The slowest transfer that is still waited for, coding and spreading of an upload included.
SLOWEST_TRANSFER_BYTES_PER_S: Final = 512 * 1024

#: Even a small object is coded and spread in full, and stock DeOSS waits for a block.
UPLOAD_TIMEOUT_S: Final = 60.0
#: A chunk of an upload is written to a disk, and no more.
CHUNK_TIMEOUT_S: Final = 60.0
#: How much of an upload is held is a look at one file.
OFFSET_TIMEOUT_S: Final = 20.0
#: A gateway may have to fetch the object from its storage nodes first.
DOWNLOAD_TIMEOUT_S: Final = 60.0
#: Likewise, and restore a segment.
RANGE_TIMEOUT_S: Final = 60.0
#: Likewise; stock DeOSS codes the whole file anew for one fragment.
FRAGMENT_TIMEOUT_S: Final = 120.0
#: A look-up, on the chain for stock DeOSS.
METADATA_TIMEOUT_S: Final = 30.0
#: Every storage node that holds a fragment is asked.
PLACEMENT_TIMEOUT_S: Final = 120.0
#: Every storage node reads and hashes all of its fragments; that is given the transfer's time, too.
CHECK_TIMEOUT_S: Final = 300.0
#: A repair answers when its last fragment is on a disk.
REPAIR_TIMEOUT_S: Final = 60.0
#: A stock gateway waits until the call is in a block.
DELETE_TIMEOUT_S: Final = 120.0
#: One page of a list; stock DeOSS sends all of it at once.
LIST_TIMEOUT_S: Final = 60.0
#: The gateway asks every storage node, those that are down too.
NODES_TIMEOUT_S: Final = 60.0
#: A look-up.
TERRITORY_TIMEOUT_S: Final = 30.0
