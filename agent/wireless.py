"""The radio as status shows it: read from the host, changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from agent.ears import Ear
from agent.health.status import PeerStatus, RadioStatus, StrangerStatus
from agent.ports.radio.host import Host
from agent.ports.radio.peer import Peer
from agent.ports.radio.strangers import Stranger
from drivers.contract import Counts


def status_of(host: Host, ears: Mapping[tuple[str, str], Ear], now: int) -> RadioStatus:
    return RadioStatus(
        state=host.state,
        window="open" if host.is_window_open else host.window_words,
        advertisements=host.advertisements,
        strange_advertisements=host.strangers.advertisements,
        strangers_forgotten=host.strangers.forgotten,
        rungs={str(rung): count for rung, count in host.ladder.taken.items()},
        rungs_failed=host.ladder.failed_rungs,
        devices=[_peer(peer, ears.get((peer.known.address, peer.known.driver)), now) for peer in host.peers.values()],
        strangers=[_stranger(one, now) for one in host.strangers.claimed()],
    )


def _peer(peer: Peer, ear: Ear | None, now: int) -> PeerStatus:
    known, tally = peer.known, peer.tally
    session = ear.hearing.session if ear else None
    counts = ear.hearing.counts if ear else Counts()
    return PeerStatus(
        address=known.address,
        name=known.name,
        driver=known.driver,
        state=peer.state,
        why=" and ".join(
            words for words, holds in (("configured", known.allowed), ("bonded here", known.bonded)) if holds
        ),
        is_open=peer.is_open,
        is_refused=peer.is_refused,
        heard_s=None if session is None or session.heard is None else (now // 1000 - session.heard) / 1e6,
        rssi_dbm=peer.rssi,
        connects=tally.connects,
        failures=tally.failures,
        refused=tally.refused,
        notes=tally.notes,
        dropped_notes=tally.dropped_notes,
        missing=tally.missing,
        frames=counts.frames,
        bad_frames=counts.bad,
        skipped_bytes=counts.skipped,
    )


def _stranger(one: Stranger, now: int) -> StrangerStatus:
    return StrangerStatus(
        address=one.seen.address,
        name=one.seen.name,
        driver=one.choice.driver or "",
        words=one.words or "not bonded here",
        rssi_dbm=one.seen.rssi,
        seen_s=(now - one.last_ns) / 1e9,
    )
