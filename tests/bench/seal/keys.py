"""Data keys wrapped for a reader and unwrapped by him."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from caregrid.keys.hpke import EncryptionKeyPair, unwrap_data_key, wrap_data_key
from caregrid.sealed import new_data_key, new_record_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

_ACCOUNT: Final = bytes(range(32))
#: A process that does not start in this time never will.
START_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Rates:
    """How many a second."""

    wrap: float
    unwrap: float


def of_one_core(seconds: float) -> Rates:
    """Return wraps and unwraps a second of a core."""
    return _measured(seconds, time.thread_time)


def of_primitives(seconds: float) -> Rates:
    """Return how often a second a core can do what wrapping and unwrapping cannot do without.

    That is ML-KEM-768 and X25519: two multiplications of the curve for wrapping, one for unwrapping.
    """
    lattice, curve = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
    lattice_public, curve_public = lattice.public_key(), curve.public_key()
    _, encapsulated = lattice_public.encapsulate()

    def wrap() -> None:
        lattice_public.encapsulate()
        X25519PrivateKey.generate().exchange(curve_public)

    def unwrap() -> None:
        lattice.decapsulate(encapsulated)
        curve.exchange(curve_public)

    return Rates(_rate(wrap, seconds, time.thread_time), _rate(unwrap, seconds, time.thread_time))


def of_all_cores(seconds: float) -> Rates:
    """Return wraps and unwraps a second of a process a core, all at the same time."""
    context, count = multiprocessing.get_context("spawn"), os.cpu_count() or 1
    start, results = context.Barrier(count, timeout=START_TIMEOUT_S), context.Queue()
    workers = [context.Process(target=_work, args=(start, results, seconds)) for _ in range(count)]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=START_TIMEOUT_S + 10 * seconds) for _ in workers]
    for worker in workers:
        worker.join()
    return Rates(sum(each.wrap for each in found), sum(each.unwrap for each in found))


def _work(start: Barrier, results: Queue[Rates], seconds: float) -> None:
    start.wait()
    results.put(_measured(seconds, time.perf_counter))


def _measured(seconds: float, clock: Callable[[], float]) -> Rates:
    pair, key, record_id = EncryptionKeyPair.generate(), new_data_key(), new_record_id()
    wrapped = wrap_data_key(pair.public_key, key, record_id, _ACCOUNT)
    wrapping = _rate(lambda: wrap_data_key(pair.public_key, key, record_id, _ACCOUNT), seconds, clock)
    unwrapping = _rate(lambda: unwrap_data_key(pair, wrapped, record_id, _ACCOUNT), seconds, clock)
    return Rates(wrapping, unwrapping)


def _rate(work: Callable[[], object], seconds: float, clock: Callable[[], float]) -> float:
    done, begun = 0, clock()
    while clock() - begun < seconds:
        for _ in range(100):
            work()
        done += 100
    return done / (clock() - begun)
