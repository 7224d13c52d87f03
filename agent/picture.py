"""What the gateway is at this moment, as a Status: read from the organs, changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import VERSION
from agent.health.status import ChainStatus, LinkStatus, PortStatus, RelayStatus, SpoolStatus, Status, TaskStatus
from agent.ports.serial_port import SerialPort
from agent.sessions.hearing import Hearing
from agent.spool.terms import ClassStat, Stat
from agent.uplink.account import Stat as LinkStat
from wire.topics import Class

if TYPE_CHECKING:
    from agent.gateway import Gateway


def picture(gateway: Gateway, spool: Stat, relayed: list[RelayStatus]) -> Status:
    world = gateway.world
    anchor = world.anchor(0)
    now = world.now()
    uptime_s = (now - gateway.started) / 1e9
    return Status(
        version=VERSION,
        site=gateway.address.site,
        gateway=gateway.address.gateway,
        bed=gateway.config.bed,
        epoch=gateway.epoch,
        written_unix_s=world.unix_us() / 1e6,
        uptime_s=uptime_s,
        clock=anchor.source if anchor else "not set",
        ports=[_port(port, hearing, now) for port, hearing in gateway.ports],
        link=_link(gateway.uplink.stat()),
        spool=_spool(spool, gateway.keeping.problem, uptime_s),
        tasks=[TaskStatus(task.name, task.failures, task.last_error) for task in gateway.supervisor.watched],
        relayed=relayed,
    )


def _port(port: SerialPort, hearing: Hearing, now: int) -> PortStatus:
    session = hearing.session
    heard = session.heard if session else None
    counts = hearing.counts
    return PortStatus(
        path=port.path,
        driver=hearing.driver_id,
        state=port.state,
        heard_s=None if heard is None else (now // 1000 - heard) / 1e6,
        frames=counts.frames,
        bad_frames=counts.bad,
        skipped_bytes=counts.skipped,
    )


def _spool(stat: Stat, problem: str, uptime_s: float) -> SpoolStatus:
    chains = stat.classes
    return SpoolStatus(
        chains=[_chain(cls, chains[cls], uptime_s) for cls in sorted(chains)],
        commits=stat.commits,
        problem=problem,
        damaged_frames=stat.damaged,
        evicted_envelopes=sum(chain.evicted_frames for chain in chains.values()),
        dropped_envelopes=sum(chain.dropped_frames for chain in chains.values()),
    )


def _chain(cls: int, chain: ClassStat, uptime_s: float) -> ChainStatus:
    rate = chain.appended_bytes / uptime_s if uptime_s > 0 else 0.0
    room = chain.quota_bytes - chain.unheld_bytes
    return ChainStatus(
        name=Class(cls).word,
        waiting_envelopes=chain.unheld_frames,
        waiting_bytes=chain.unheld_bytes,
        used_bytes=chain.used_bytes,
        quota_bytes=chain.quota_bytes,
        room_h=room / rate / 3600 if rate > 0 else None,
    )


def _link(stat: LinkStat) -> LinkStatus:
    return LinkStatus(
        connected=stat.state.connected,
        problem=stat.state.message,
        hint=stat.state.hint,
        reconnects=stat.reconnects,
        sent_envelopes=sum(tally.count for tally in stat.sent.values()),
        acknowledged_envelopes=sum(tally.count for tally in stat.acked.values()),
        held_envelopes=sum(stat.held.values()),
        live_left_envelopes=stat.live_left,
        refused_envelopes=sum(stat.refused.values()),
        receipts_refused=sum(stat.receipts_refused.values()),
        outstanding_bytes=stat.outstanding_bytes,
        round_trip_s=None if stat.rtt_ns is None else stat.rtt_ns / 1e9,
    )
