"""Philips IntelliVue patient monitors on the network: Data Export over UDP.

The same talk as on the MIB/RS232 port (`drivers.devices.philips_intellivue`), without its frames: we ask for an
association at port 24105 of the monitor, it accepts, introduces itself and sends results for as long as it is asked.
Channels and alarm codes are those of the serial driver, so a monitor keeps its names when its cable is changed.

    0E ..                                                       association accepted (0C refused, 19 given up)
    E1 00 00 02 | 1 | MDS create event                          who the monitor is
    E1 00 00 02 | 2 or 5 | .. F13B .. | class, group            results: 0006 numerics, 0009 waves, 0036 alarms

How a datagram becomes a message stands in `drivers.philips.datagrams`, all that follows in `drivers.philips`.

Source: Philips Data Export Interface Programming Guide rev. G.0 (453564259271), read through the public notes and
programs that follow it: xeonfusion/VSCaptureMP sends the very same requests on both lines; part-cw/LNhealth for the
headers of session control. No recording of a network was at hand: what is read here is what an M8000 said on RS232,
without its frames.

Not protected by anything of its own: UDP's sum alone, and a datagram that is lost is seen by its time only. The
monitor's announcements (port 24005) are not listened to: an engineer pins the address. Not known: whether a monitor
that is asked on both lines answers on both, and how it treats a second client. It must be in a network where it may be
asked: with a Patient Information Center it may answer nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from drivers.contract import Driver, Info, Integrity, Output, Send, Udp
from drivers.philips.datagrams import Stream, payload_of
from drivers.philips.monitor import EMITS, Monitor
from drivers.philips.session import SENDS

PAYLOADS = {frame: payload_of(frame) for frame in SENDS}


class PhilipsIntelliVueLan(Driver):
    info = Info(
        id="philips_intellivue_lan",
        models=("Philips IntelliVue MP20-MP90", "Philips IntelliVue MX400-MX850"),
        claims=(Udp(24105),),
        emits=EMITS,
        integrity=Integrity.NONE,
        wiring="LAN port of the monitor to a network of its own, with a BOOTP or DHCP server that gives it a fixed"
        " address (Main Setup, Network shows it); pin udp://ADDRESS:24105. Not while it belongs to an Information"
        " Center",
        sends=frozenset(PAYLOADS.values()),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._stream = Stream(self.counts)
        self._monitor = Monitor(self.counts)

    def on_open(self, now: int) -> list[Output]:
        return self._bare(self._monitor.open(now))

    def on_bytes(self, data: bytes, now: int, source: str = "") -> list[Output]:
        return self._bare(one for message in self._stream.feed(data) for one in self._monitor.hear(message, now))

    def on_time(self, now: int) -> list[Output]:
        return self._bare(self._monitor.wake(now))

    def pending(self) -> int:
        return len(self._stream)

    def _bare(self, outputs: Iterable[Output]) -> list[Output]:
        """The same, with what is sent out of its frame."""
        said = [Send(PAYLOADS[one.data]) if isinstance(one, Send) else one for one in outputs]
        self.wake_at = self._monitor.wake_at
        return said
