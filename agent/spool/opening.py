"""Opening a folder, in whatever state it is: what was found, put together and made ready to write."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.spool.acks import Acks
from agent.spool.chain import Chain
from agent.spool.epoch import Epoch
from agent.spool.files import Files
from agent.spool.losses import Losses
from agent.spool.recover import Recovered, recover
from agent.spool.terms import Damage, Limits, SpoolError

_HINTS = {
    errno.ENOSPC: "free space on the disk of the spool, or lower its quotas",
    errno.EDQUOT: "free space on the disk of the spool, or lower its quotas",
    errno.EROFS: "the disk is read-only: it may be worn out; replace the card, or mount it writable",
    errno.EACCES: "the folder must belong to the user wardlink runs as",
    errno.EPERM: "the folder must belong to the user wardlink runs as",
    errno.EWOULDBLOCK: "another wardlink uses this folder: stop it first",
    errno.ENOTDIR: "the path of the spool must be a folder",
    errno.EEXIST: "the path of the spool must be a folder",
    errno.EIO: "the disk fails: replace the card; what can be read of the old one, `wardlink spool export` reads",
}


@dataclass(slots=True)
class Opened:
    """All the parts of a spool."""

    number: int
    chains: dict[int, Chain]
    acks: Acks
    losses: Losses
    lock: int
    epoch: Epoch
    tails: dict[tuple[int, int], int] = field(default_factory=dict)


def hint_for(error: OSError) -> str:
    return _HINTS.get(error.errno or 0, "look at the disk and its cable; the kernel log (dmesg) may say more")


def classes_of(names: list[str]) -> set[int]:
    """The classes that have segments in a folder."""
    starts = (name.partition("-")[0] for name in names if name.endswith(".seg"))
    return {int(start) for start in starts if start.isascii() and start.isdigit() and int(start) < 256}


def check_quotas(quotas: Mapping[int, int], limits: Limits) -> None:
    for cls, quota_bytes in quotas.items():
        if quota_bytes < 2 * limits.segment_bytes:
            raise SpoolError(
                f"the quota of class {cls} is {quota_bytes} bytes, less than two segments",
                f"give it {2 * limits.segment_bytes} bytes or more",
            )


def open_folder(files: Files, folder: Path, quotas: Mapping[int, int], nonce: bytes, limits: Limits) -> Opened:
    """SpoolError or OSError: the folder cannot be used, and nothing of it was changed for the worse."""
    check_quotas(quotas, limits)
    files.make_folder(folder)
    acks = Acks(files, folder)
    losses, epoch = Losses(files, folder, limits, acks), Epoch(files, folder)
    opened = Opened(0, {}, acks, losses, files.lock(folder / "lock"), epoch)
    try:
        _open_locked(files, folder, quotas, nonce, limits, opened)
    except (OSError, SpoolError):
        for chain in opened.chains.values():
            chain.close()
        files.close(opened.lock)
        raise
    return opened


def _open_locked(
    files: Files, folder: Path, quotas: Mapping[int, int], nonce: bytes, limits: Limits, opened: Opened
) -> None:
    names = files.names(folder)
    acks, epoch = opened.acks, opened.epoch
    acks.load(names)
    epoch.load(names)
    found = {
        cls: recover(files, folder, cls, names, limits.segment_bytes, acks.evicted(cls))
        for cls in sorted(set(quotas) | classes_of(names))
    }
    opened.tails = _tails(found, acks)
    here = {epoch_seen for epoch_seen, _ in opened.tails}
    opened.number = epoch.take(names, max([acks.epoch, *here]), nonce, here)
    _report(found, acks, opened.losses)
    for cls, recovered in found.items():
        chain = opened.chains[cls] = Chain(files, folder, cls, quotas.get(cls, 0), limits.segment_bytes)
        chain.attach(recovered, acks)
        if cls in quotas:
            _first_segment(chain)
    acks.pages.create(names)
    acks.begin(opened.number, quotas, opened.tails)
    acks.save()


def _tails(found: Mapping[int, Recovered], acks: Acks) -> dict[tuple[int, int], int]:
    """(epoch, class) -> the number after the last one that is known to have been in the spool."""
    out = {(epoch, cls): tail for (cls, epoch), tail in acks.tails.items()}
    for cls, recovered in found.items():
        for epoch, tail in recovered.tails.items():
            out[epoch, cls] = max(out.get((epoch, cls), 0), tail)
        for damage, _ in recovered.damage:
            if damage.epoch is not None and damage.last is not None:
                out[damage.epoch, cls] = max(out.get((damage.epoch, cls), 0), damage.last + 1)
    return out


def _report(found: Mapping[int, Recovered], acks: Acks, losses: Losses) -> None:
    for (cls, epoch), tail in acks.tails.items():
        if cls in found and found[cls].unread:
            continue  # they may be in a file that is refused today only
        known = found[cls].tails.get(epoch, 0) if cls in found else 0
        for first, last in acks.of(cls, epoch).missing(known, tail - 1) if known < tail else []:
            place = "the end of the chain, which the acknowledgements know of"
            losses.report(Damage(cls, epoch, first, last, 0, torn=False, place=place), b"")
    for cls, recovered in found.items():
        for segment in recovered.segments:
            for s in segment.stretches:
                acks.keep(cls, s.epoch, s.first, s.last)  # the power failed before it was overwritten
        for damage, data in recovered.damage:
            losses.report(damage, data)


def _first_segment(chain: Chain) -> None:
    while not chain.files_count and not chain.spares_refused:
        chain.make_spare()
    if not chain.files_count:
        raise SpoolError(
            f"there is no room for the first segment of class {chain.cls}",
            f"free {chain.segment_bytes} bytes or more for each class",
        )
