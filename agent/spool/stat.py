"""The figures of a spool."""

from __future__ import annotations

from agent.spool.buffer import Buffer
from agent.spool.chain import Chain
from agent.spool.opening import Opened
from agent.spool.terms import ClassStat, Stat


def stat_of(opened: Opened, buffer: Buffer, read_errors: int, commits: int, written_bytes: int) -> Stat:
    """Cheap: nothing is read and nothing per frame is counted."""
    chains = opened.chains
    return Stat(
        classes={cls: _class_stat(chain, buffer) for cls, chain in chains.items()},
        commits=commits,
        written_bytes=written_bytes,
        buffered_bytes=buffer.used_bytes,
        damaged=opened.losses.damaged,
        torn=opened.losses.torn,
        write_errors=sum(chain.write_errors for chain in chains.values()),
        read_errors=read_errors,
        acks_errors=opened.acks.failures,
        spares_refused=sum(chain.spares_refused for chain in chains.values()),
        quarantined_bytes=opened.losses.quarantine.used_bytes,
        quarantine_refused=opened.losses.quarantine.refused,
    )


def _class_stat(chain: Chain, buffer: Buffer) -> ClassStat:
    index = chain.index
    oldest = index.oldest_unheld()
    return ClassStat(
        used_bytes=chain.files_count * chain.segment_bytes,
        quota_bytes=chain.quota_bytes,
        segments=len(index.segments),
        spares=len(chain.spares),
        frames=index.frames,
        frames_bytes=index.frames_bytes,
        unheld_frames=index.unheld,
        unheld_bytes=index.unheld_bytes,
        oldest_unheld=(oldest.epoch, oldest.hour, oldest.first) if oldest else None,
        appended_bytes=chain.appended_bytes,
        taken_bytes=chain.taken_bytes,
        free_bytes=chain.free_bytes,
        growth_bytes=chain.growth_bytes,
        evicted_frames=chain.evicted_frames,
        dropped_frames=buffer.dropped_frames.get(chain.cls, 0),
        buffered_frames=len(buffer.waiting.get(chain.cls, ())),
        unread_files=len(chain.unread),
    )
