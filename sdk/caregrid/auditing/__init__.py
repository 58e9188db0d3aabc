"""Audits of stored objects: tags for the nodes, rounds of challenges, and verdicts that outsiders find anew.

::

    owner    tagged = await tag_object(object_id, path, proving, key)
    owner    await submitter.submit(commit_call(organisation, tagged.tags, key.public_key()))
    owner    known = await committed(chain, object_id); beacon = await beacon_at(chain, known)
    owner    bundle = await ask_round(proving, beacon, tagged.tags, public_key, Terms())
    anybody  (await verify_bundle(chain, bundle, Terms())).require_passed()

It joins chain, storage and :mod:`caregrid.proofs`, which know nothing of each other.
"""

from caregrid.auditing.asking import ask_round, require_committed
from caregrid.auditing.deoss import DeossProvingStore
from caregrid.auditing.failover import FailoverProvingStore, open_proving_store
from caregrid.auditing.history import Told, history
from caregrid.auditing.memory import MemoryProvingStore
from caregrid.auditing.reporting import commit_call, report_of
from caregrid.auditing.rounds import Committed, beacon_at, committed
from caregrid.auditing.tagging import Tagged, tag_object, tag_stored
from caregrid.auditing.verifying import Verified, verify_bundle

__all__ = [
    "Committed",
    "DeossProvingStore",
    "FailoverProvingStore",
    "MemoryProvingStore",
    "Tagged",
    "Told",
    "Verified",
    "ask_round",
    "beacon_at",
    "commit_call",
    "committed",
    "history",
    "open_proving_store",
    "report_of",
    "require_committed",
    "tag_object",
    "tag_stored",
    "verify_bundle",
]
