"""Metrics in the Prometheus text format 0.0.4, for the node exporter's textfile collector: nothing listens here."""

from __future__ import annotations

from collections.abc import Iterator

from agent.health.status import LinkStatus, RadioStatus, SpoolStatus, Status

Sample = tuple[str, str, dict[str, str], float]  # name, type, labels, value


def text(status: Status) -> str:
    """The whole file."""
    groups: dict[str, list[str]] = {}  # all lines of one name stand together
    for name, kind, labels, value in _samples(status):
        lines = groups.setdefault(name, [f"# TYPE wardlink_{name} {kind}"])
        inner = ",".join(f'{key}="{_escaped(word)}"' for key, word in labels.items())
        lines.append(f"wardlink_{name}{{{inner}}} {value}" if inner else f"wardlink_{name} {value}")
    return "\n".join(line for lines in groups.values() for line in lines) + "\n"


def _samples(status: Status) -> Iterator[Sample]:
    yield "info", "gauge", {"version": status.version, "gateway": status.gateway, "site": status.site}, 1
    yield "epoch", "gauge", {}, status.epoch
    yield "uptime_seconds", "gauge", {}, status.uptime_s
    yield "clock_synchronised", "gauge", {"source": status.clock}, float(status.clock_error_s is not None)
    if status.clock_error_s is not None:
        yield "clock_error_seconds", "gauge", {}, status.clock_error_s
    yield "clocks_contradicting", "gauge", {}, len(status.clocks_contradict)
    for reason, count in status.time_refused.items():
        yield "time_refused_total", "counter", {"reason": reason}, count
    yield from _of_ports(status)
    yield from _of_link(status.link)
    yield "link_carried_bytes_total", "counter", {}, status.carried_bytes
    if status.volume is not None:
        yield "volume_used_bytes", "gauge", {"month": status.volume.month}, status.volume.used_bytes
        yield "volume_cap_bytes", "gauge", {}, status.volume.cap_bytes
    yield from _of_spool(status.spool)
    yield from _of_relayed(status)
    if status.radio is not None:
        yield from _of_radio(status.radio)
    for task in status.tasks:
        yield "task_failures_total", "counter", {"task": task.name}, task.failures


def _of_ports(status: Status) -> Iterator[Sample]:
    for port in status.ports:
        labels = {"port": port.path, "driver": port.driver}
        yield "port_open", "gauge", labels, float(port.state == "open")
        yield "frames_total", "counter", labels, port.frames
        yield "bad_frames_total", "counter", labels, port.bad_frames
        yield "skipped_bytes_total", "counter", labels, port.skipped_bytes
        for one in port.asked:
            where = {"port": port.path, "driver": one.driver, "line": one.line}
            yield "asked_requests_total", "counter", where, one.requests
        if port.heard_s is not None:
            yield "heard_age_seconds", "gauge", labels, port.heard_s


def _of_link(link: LinkStatus) -> Iterator[Sample]:
    yield "link_connected", "gauge", {}, float(link.connected)
    yield "link_reconnects_total", "counter", {}, link.reconnects
    yield "envelopes_sent_total", "counter", {}, link.sent_envelopes
    yield "envelopes_acknowledged_total", "counter", {}, link.acknowledged_envelopes
    yield "envelopes_held_total", "counter", {}, link.held_envelopes
    yield "envelopes_refused_total", "counter", {}, link.refused_envelopes
    yield "envelopes_left_to_backfill_total", "counter", {}, link.live_left_envelopes
    for reason, count in link.receipts_refused.items():
        yield "receipts_refused_total", "counter", {"reason": reason}, count
    yield "receipts_copies_total", "counter", {}, link.receipts_copies
    yield "commands_taken_total", "counter", {}, link.commands_taken
    for reason, count in link.commands_refused.items():
        yield "commands_refused_total", "counter", {"reason": reason}, count
    yield "envelopes_sent_again_total", "counter", {}, link.sent_again_envelopes
    yield "envelopes_absent_total", "counter", {}, link.absent_envelopes
    yield "outstanding_bytes", "gauge", {}, link.outstanding_bytes


def _of_spool(spool: SpoolStatus) -> Iterator[Sample]:
    for chain in spool.chains:
        labels = {"class": chain.name}
        yield "spool_waiting_envelopes", "gauge", labels, chain.waiting_envelopes
        yield "spool_waiting_bytes", "gauge", labels, chain.waiting_bytes
        yield "spool_used_bytes", "gauge", labels, chain.used_bytes
        yield "spool_quota_bytes", "gauge", labels, chain.quota_bytes
        if chain.room_h is not None:
            yield "spool_room_seconds", "gauge", labels, chain.room_h * 3600
    yield "spool_commits_total", "counter", {}, spool.commits
    yield "spool_failing", "gauge", {}, float(bool(spool.problem))
    yield "spool_unread_files", "gauge", {}, spool.unread_files
    yield "spool_damaged_frames_total", "counter", {}, spool.damaged_frames
    yield "spool_evicted_envelopes_total", "counter", {}, spool.evicted_envelopes
    yield "spool_dropped_envelopes_total", "counter", {}, spool.dropped_envelopes


def _of_relayed(status: Status) -> Iterator[Sample]:
    for one in status.relayed:
        labels = {"gateway": one.gateway}
        yield "relayed_waiting_envelopes", "gauge", labels, one.waiting_envelopes
        yield "relayed_waiting_bytes", "gauge", labels, one.waiting_bytes
        yield "relayed_held_total", "counter", labels, one.held_envelopes
        yield "relayed_lost_envelopes_total", "counter", labels, one.lost_envelopes
        yield "relayed_failing", "gauge", labels, float(bool(one.problem))


def _of_radio(radio: RadioStatus) -> Iterator[Sample]:
    yield "radio_listening", "gauge", {}, float(radio.state == "listening")
    yield "radio_advertisements_total", "counter", {}, radio.advertisements
    yield "radio_strange_advertisements_total", "counter", {}, radio.strange_advertisements
    for rung, count in radio.rungs.items():
        yield "radio_rungs_total", "counter", {"rung": rung}, count
    yield "radio_rungs_failed_total", "counter", {}, radio.rungs_failed
    for one in radio.devices:
        labels = {"address": one.address, "driver": one.driver}
        yield "radio_open", "gauge", labels, float(one.is_open)
        yield "radio_connects_total", "counter", labels, one.connects
        yield "radio_failures_total", "counter", labels, one.failures
        yield "radio_refused_total", "counter", labels, one.refused
        yield "radio_dropped_notifications_total", "counter", labels, one.dropped_notes
        yield "radio_bad_frames_total", "counter", labels, one.bad_frames


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
