"""Which start sealed what is in a spool: the random bytes of each epoch, by which receipts name it.

The spool has written them down, and a file of `spool export` says them; of what is older than they are kept, and where
they were lost, the statements in the spool tell. Of an epoch of which nobody tells any more nothing is freed: it is
sent again until its space is needed, which costs duplicates.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from agent.spool.spool import Spool
from agent.spool.terms import StorageError
from wire import statement
from wire.envelope import EnvelopeError
from wire.topics import Class

log = logging.getLogger("wardlink.spool")


def starts_of(spool: Spool, gateway: str, known: Mapping[int, bytes] | None = None) -> dict[int, bytes]:
    """8 random bytes by epoch, of the present one too. `known` of a spool that was imported: what its file said."""
    found = dict(spool.numbers.starts if known is None else known)
    for (epoch, cls), following in spool.tails().items():
        if cls != Class.KEY or not following or epoch in found:
            continue
        try:
            start = _told(spool, gateway, epoch, following)
        except StorageError as error:
            log.warning("the start of an epoch is not known epoch=%d why=%r", epoch, str(error))
            continue
        if start:
            found[epoch] = start
    return found


def _told(spool: Spool, gateway: str, epoch: int, following: int) -> bytes:
    """What the first statement that can be read says; empty where none does."""
    for stored in spool.read(Class.KEY, epoch, 0, following - 1):
        try:
            start = statement.read(gateway, stored.data)[1].nonce
        except EnvelopeError:  # damaged before it was stored: it tells nothing
            continue
        if start:
            return start
    return b""
