"""What dates an epoch, as the store has it: anchors, arrivals and boots of the epoch and of those around it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection, select

from centre import rows
from centre.store import schema

NEIGHBOURS_LIMIT_COUNT = 16  # so many boots without a time may lie between two that have one
BOOT_LIMIT_EPOCHS = 64  # of one boot, around the one asked for


def datings(connection: Connection, gw: int, epoch: int) -> list[rows.Dating]:
    """By epoch; at most `NEIGHBOURS_LIMIT_COUNT` before and after the boot of `epoch`, up to one with an anchor."""
    boots = _boots(connection, gw)
    own = _of_boot(boots, epoch)
    before = _around(connection, gw, own[0], is_later=False)
    after = _around(connection, gw, own[-1], is_later=True)
    wanted = sorted({*before, *own, *after})
    anchors, arrived = _anchors(connection, gw, wanted), _arrived(connection, gw, wanted)
    return [rows.Dating(e, boots.get(e, b""), tuple(anchors[e]), tuple(arrived[e])) for e in wanted]


def _boots(connection: Connection, gw: int) -> dict[int, bytes]:
    """The boot of each epoch; none where an epoch said two (a card that was copied)."""
    b = schema.BOOT.c
    found: dict[int, set[bytes]] = defaultdict(set)
    for row in connection.execute(select(b.epoch, b.boot).where(b.gw == gw)):
        found[row.epoch].add(bytes(row.boot))
    return {epoch: boots.pop() for epoch, boots in found.items() if len(boots) == 1}


def _of_boot(boots: dict[int, bytes], epoch: int) -> list[int]:
    """The epochs of one boot, by number; a boot that has no name has one epoch."""
    boot = boots.get(epoch, b"")
    same = sorted(e for e, other in boots.items() if other == boot and any(boot)) or [epoch]
    at = same.index(epoch)
    return same[max(0, at - BOOT_LIMIT_EPOCHS) : at + BOOT_LIMIT_EPOCHS]


def _around(connection: Connection, gw: int, epoch: int, is_later: bool) -> list[int]:
    """Epochs next to this one, up to and with the first that has an anchor."""
    a, n = schema.ARRIVED.c, schema.ANCHOR.c
    wanted = select(a.epoch).where(a.gw == gw, a.epoch > epoch if is_later else a.epoch < epoch).distinct()
    near = wanted.order_by(a.epoch if is_later else a.epoch.desc()).limit(NEIGHBOURS_LIMIT_COUNT)
    found = list(connection.execute(near).scalars())
    known = select(n.epoch).where(n.gw == gw, n.epoch.in_(found), n.error.is_not(None)).distinct()
    anchored = set(connection.execute(known).scalars())
    first = next((at for at, one in enumerate(found) if one in anchored), len(found))
    return found[: first + 1]


def _anchors(connection: Connection, gw: int, epochs: Iterable[int]) -> dict[int, list[rows.Anchored]]:
    out: dict[int, list[rows.Anchored]] = defaultdict(list)
    a = schema.ANCHOR.c
    wanted = select(schema.ANCHOR).where(a.gw == gw, a.epoch.in_(list(epochs))).order_by(a.epoch, a.t, a.seq, a.item)
    for r in connection.execute(wanted).mappings():
        out[r["epoch"]].append(rows.Anchored(r["epoch"], r["t"], r["utc"], r["error"], r["source"]))
    return out


def _arrived(connection: Connection, gw: int, epochs: Iterable[int]) -> dict[int, list[rows.Arrived]]:
    out: dict[int, list[rows.Arrived]] = defaultdict(list)
    a = schema.ARRIVED.c
    wanted = select(schema.ARRIVED).where(a.gw == gw, a.epoch.in_(list(epochs))).order_by(a.epoch, a.stretch)
    for r in connection.execute(wanted).mappings():
        out[r["epoch"]].append(rows.Arrived(r["epoch"], r["first"], r["last"], r["t"], r["received"]))
    return out
