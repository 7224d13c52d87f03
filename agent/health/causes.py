"""What is wrong with a gateway, the first cause first, each with the number of config/codes.py and the next step.

Pure: of the status, of the machine's own network, of nothing that must be asked over a network. One fault has many
symptoms (a pulled cable: no address, no name, no link): what explains the others stands before them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from agent.health.net import Net
from agent.health.status import STALE_S, LinkStatus, PeerStatus, PortStatus, RadioStatus, Status
from config import codes


class Cause(NamedTuple):
    """`what` in words of today, `next` what to do."""

    code: int
    what: str
    next: str


# What the uplink says (agent/uplink/tls.py, link.py), and what that means. The first that fits counts.
_LINKS = (
    ("cannot be resolved", codes.NO_NAME),
    ("is no name of a host", codes.NO_NAME),
    ("refuses connections", codes.CLOSED),
    ("does not answer", codes.NO_ANSWER),
    ("Network is unreachable", codes.NO_ROUTE),
    ("No route to host", codes.NO_ANSWER),
    ("does not speak TLS", codes.NOT_TLS),
    ("what is not MQTT", codes.NOT_TLS),
    ("an authority we do not trust", codes.FOREIGN),
    ("the broker's certificate", codes.BROKER_DATES),
    ("asks for a client certificate", codes.OURS),
    ("gateway's certificate", codes.OURS),
    ("the broker refuses", codes.REFUSED),
    ("nobody listens", codes.UNHEARD),
)
_DATES = ("expired", "not valid yet", "not be valid yet")
_NET = frozenset({codes.NO_NAME, codes.NO_ANSWER, codes.NO_ROUTE})  # what a missing network looks like from above
_UNSET = ("unsynchronised", "not set")


def of(status: Status, age_s: float, net: Net | None = None) -> list[Cause]:
    """Of a gateway that has written a status, `age_s` ago. `net` None: nobody looked at the machine's network."""
    found = [*_storage(status, age_s), *_audit(status)]
    for port in status.ports:
        found += _port(port)
    found += _radio(status.radio) if status.radio else []
    clock = list(_clock(status))
    link = list(_link(status.link, net))
    if link and any(word in link[0].what for word in _DATES) and status.clock in _UNSET:
        found += [*clock, *link]  # a certificate that does not hold by a clock that nobody trusts
    else:
        found += [*link, *clock]
    return [*found, *_signatures(status), *_rest(status)]


def _storage(status: Status, age_s: float) -> Iterator[Cause]:
    if age_s > STALE_S:
        yield Cause(codes.NO_GATEWAY, f"the daemon has not written for {age_s:.0f} s", "systemctl status wardlink")
    if status.spool.problem:
        step = "live data still goes out; replace the card soon"
        yield Cause(codes.STORAGE, f"storage: {status.spool.problem}", step)


def _audit(status: Status) -> Iterator[Cause]:
    if status.audit_problem:
        step = "what happens is kept in memory until it can be; look at the card"
        yield Cause(codes.AUDIT, status.audit_problem, step)
    if status.spool.unread_files:
        what = f"storage: {status.spool.unread_files} files of the spool could not be read when it was opened"
        yield Cause(codes.STORAGE, what, "once they can be, wardlink starts again by itself; replace the card soon")


def _port(port: PortStatus) -> Iterator[Cause]:
    if not port.driver and port.state != "listening":
        hint = "is it on, and set to send? `wardlink drivers` says who is understood, and how to wire and set them"
        code = codes.STRANGER if port.state.startswith("unknown device") else codes.SILENT
        yield Cause(codes.PORT if port.state.startswith("cannot open") else code, f"{port.path}: {port.state}", hint)
    elif port.state != "open":
        gone = port.state == "waiting" or "No such file" in port.state or "no such" in port.state
        step = "check the cable and the path; `ls -l /dev/serial/by-id`"
        yield Cause(codes.UNPLUGGED if gone else codes.PORT, f"{port.path}: {port.state}", step)
    elif port.heard_s is None and port.frames == 0:
        step = f"`wardlink drivers {port.driver}` says how to wire and set the device"
        if port.skipped_bytes or port.bad_frames:
            yield Cause(codes.GARBLED, f"{port.path}: bytes come but no frame", f"its baud rate? {step}")
        else:
            yield Cause(codes.SILENT, f"{port.path}: nothing is heard", step)


def _radio(radio: RadioStatus) -> Iterator[Cause]:
    if radio.state != "listening":
        step = "`bluetoothctl show` says whether there is an adapter, and it is on"
        yield Cause(codes.RADIO, f"radio: {radio.state}", step)
    for one in radio.devices:
        yield from _peer(one)


def _peer(one: PeerStatus) -> Iterator[Cause]:
    what = f"{one.name or one.driver} at {one.address}"
    if one.is_refused:
        yield Cause(codes.BOND, f"{what} {one.state}", "at the bed, with the device at hand: `wardlink bond`")
    elif not one.is_open and one.failures and one.state not in ("waiting", "connecting"):
        step = f"`wardlink drivers {one.driver}` says how to set the device"
        yield Cause(codes.RADIO, f"{what}: {one.state}", step)
    if one.dropped_notes:
        dropped = f"{what}: {one.dropped_notes} notifications came faster than they are heard"
        yield Cause(codes.RADIO, dropped, "send the log")


def _link(link: LinkStatus, net: Net | None) -> Iterator[Cause]:
    if link.connected and not link.problem:
        return
    said = link.problem or "not connected"
    step = link.hint or "data is being stored here"
    if link.connected:
        yield Cause(link_code(said), said, step)
        return
    code = link_code(said)
    if net is not None and code in _NET | {codes.BROKEN}:
        yield from _net(net)
    yield Cause(code, f"no link: {said}", step)


def _net(net: Net) -> Iterator[Cause]:
    if not net.linked:
        step = "is the cable in, the Wi-Fi's name and password right, the modem's APN and PIN? wardlink setup show"
        yield Cause(codes.NO_NETWORK, "no network: no cable is plugged in, no Wi-Fi or modem has joined", step)
    elif not net.addressed:
        what = f"no network: {' and '.join(net.linked)} has a link, but no address"
        yield Cause(codes.NO_NETWORK, what, "no DHCP answers there: another socket, or address in wardlink.txt")
    elif not net.routed:
        what = "no way out: there is an address, but no gateway to other networks"
        yield Cause(codes.NO_ROUTE, what, "gateway in wardlink.txt, or the DHCP server's")


def link_code(said: str) -> int:
    """The number of what the uplink says."""
    return next((code for words, code in _LINKS if words in said), codes.BROKEN)


def _clock(status: Status) -> Iterator[Cause]:
    if status.clock in _UNSET:
        step = "times go out as uncertain until NTP or the centre answers"
        yield Cause(codes.CLOCK, f"clock: {status.clock}", step)
    for pair in status.clocks_contradict:
        what = f"clocks contradict each other: {pair.replace(' ', ' and ')}"
        step = f"one of them is wrong; {status.clock} counts. Is somebody playing with NTP?"
        yield Cause(codes.CONTRADICTION, what, step)


def _signatures(status: Status) -> Iterator[Cause]:
    forged = status.link.receipts_refused.get("signature", 0) + status.link.commands_refused.get("signature", 0)
    if forged:
        what = f"{forged} receipts or commands have no signature of the centre"
        step = "is centre.pub the centre's key? if it is, somebody else writes to the broker"
        yield Cause(codes.FORGED, what, step)
    if status.time_refused.get("signature"):
        what = f"{status.time_refused['signature']} answers about the time have no signature of the centre"
        yield Cause(codes.FORGED, what, "is centre.pub the centre's key? if it is, somebody else answers")


def _rest(status: Status) -> Iterator[Cause]:
    if status.trust and status.trust.problem:
        yield Cause(codes.ENROLMENT, f"enrolment: {status.trust.problem}", status.trust.hint)
    for one in status.relayed:
        if one.problem:
            yield Cause(codes.RELAY, f"relay for {one.gateway}: {one.problem}", one.hint)
    for task in status.tasks:
        if task.failures:
            what = f"{task.name} failed {task.failures} times: {task.last_error}"
            yield Cause(codes.PART, what, "send the log")
