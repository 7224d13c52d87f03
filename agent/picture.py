"""What the gateway is at this moment, as a Status: read from the organs, changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agent import VERSION, policy
from agent.health.room import Volume
from agent.health.status import (
    AskedStatus,
    ChainStatus,
    LinkStatus,
    PortStatus,
    RelayStatus,
    SpoolStatus,
    Status,
    TaskStatus,
)
from agent.ports.plugs import Plug
from agent.ports.serial_port import KeptPort
from agent.sessions.hearing import Hearing
from agent.spool.terms import ClassStat, Stat
from agent.uplink.account import Stat as LinkStat
from drivers.contract import Counts
from wire.topics import Class

if TYPE_CHECKING:
    from agent.gateway import Gateway
    from agent.ports.searched import SearchedPort


Rooms = Mapping[int, int | None]  # seconds by class


def volumes(spool: Stat) -> dict[int, Volume]:
    return {cls: Volume(c.taken_bytes, c.free_bytes, c.growth_bytes) for cls, c in spool.classes.items()}


def picture(gateway: Gateway, spool: Stat, rooms: Rooms, relayed: list[RelayStatus]) -> Status:
    world = gateway.world
    anchor = gateway.utc.anchor()
    now = world.now()
    return Status(
        version=VERSION,
        site=gateway.address.site,
        gateway=gateway.address.gateway,
        bed=gateway.config.bed,
        epoch=gateway.epoch,
        written_unix_s=world.unix_us() / 1e6,
        uptime_s=(now - gateway.started) / 1e9,
        clock=anchor.source if anchor else "not set",
        ports=_ports(gateway, now),
        link=_link(gateway.uplink.stat(), now),
        spool=_spool(spool, gateway.keeping.problem, rooms),
        tasks=[TaskStatus(task.name, task.failures, task.last_error) for task in gateway.supervisor.watched],
        relayed=relayed,
        radio=gateway.radio.picture(now) if gateway.radio else None,
        clock_error_s=None if anchor is None or anchor.error is None else anchor.error / 1e6,
        clock_floor_unix_s=gateway.utc.floor() / 1e6,
        clocks_contradict=gateway.utc.contradicting,
        time_refused=dict(gateway.utc.refused),
        policy=policy.words(gateway.obeying.policy),
        audit_problem=gateway.obeying.auditing.problem,
        written_ns=now,
        key=gateway.trust.kept,
        trust=gateway.trust.status(),
        patient=gateway.associating.words(),
    )


def _ports(gateway: Gateway, now: int) -> list[PortStatus]:
    plugs = {plug.path: plug for plug in gateway.world.plugged()}
    pinned = [
        _placed(_port(port, hearing, now), plugs.get(str(Path(port.path).resolve()))) for port, hearing in gateway.ports
    ]
    found = gateway.discovery.heard() if gateway.discovery else ()
    return [*pinned, *(_searched(port, _port(port, hearing, now)) for port, hearing in found)]


def _placed(port: PortStatus, plug: Plug | None) -> PortStatus:
    where = {"adapter": plug.adapter, "place": plug.place} if plug else {}
    return msgspec.structs.replace(port, why="pinned in the configuration", **where)


def _searched(port: SearchedPort, status: PortStatus) -> PortStatus:
    return msgspec.structs.replace(
        status,
        adapter=port.plug.adapter,
        place=port.plug.place,
        line=str(port.line) if port.line and status.driver else "",
        why=port.why if status.driver else "",
        tried=list(port.tried),
        asked=[AskedStatus(one.driver, one.line, one.requests, one.sent_bytes) for one in port.asked.values()],
    )


def _port(port: KeptPort | SearchedPort, hearing: Hearing | None, now: int) -> PortStatus:
    session = hearing.session if hearing else None
    heard = session.heard if session else None
    counts = hearing.counts if hearing else Counts()
    return PortStatus(
        path=port.path,
        driver=hearing.driver_id if hearing else "",
        state=port.state,
        heard_s=None if heard is None else (now // 1000 - heard) / 1e6,
        frames=counts.frames,
        bad_frames=counts.bad,
        skipped_bytes=counts.skipped,
        pinned=isinstance(port, KeptPort),
    )


def _spool(stat: Stat, problem: str, rooms: Rooms) -> SpoolStatus:
    chains = stat.classes
    return SpoolStatus(
        chains=[_chain(cls, chains[cls], rooms[cls]) for cls in sorted(chains)],
        commits=stat.commits,
        problem=problem,
        damaged_frames=stat.damaged,
        unread_files=sum(chain.unread_files for chain in chains.values()),
        evicted_envelopes=sum(chain.evicted_frames for chain in chains.values()),
        dropped_envelopes=sum(chain.dropped_frames for chain in chains.values()),
    )


def _chain(cls: int, chain: ClassStat, room_s: int | None) -> ChainStatus:
    return ChainStatus(
        name=Class(cls).word,
        waiting_envelopes=chain.unheld_frames,
        waiting_bytes=chain.unheld_bytes,
        used_bytes=chain.used_bytes,
        quota_bytes=chain.quota_bytes,
        room_h=None if room_s is None else room_s / 3600,
    )


def _link(stat: LinkStat, now: int) -> LinkStatus:
    away, oldest = stat.state.away_ns, stat.oldest_ns
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
        receipts_refused=dict(stat.receipts_refused),
        outstanding_bytes=stat.outstanding_bytes,
        round_trip_s=None if stat.rtt_ns is None else stat.rtt_ns / 1e9,
        commands_taken=stat.commands_taken,
        commands_refused=dict(stat.commands_refused),
        sent_again_envelopes=stat.sent_again,
        absent_envelopes=stat.absent,
        away_s=None if away is None else (now - away) / 1e9,
        unanswered_s=None if oldest is None else (now - oldest) / 1e9,
    )
