"""Philips IntelliVue patient monitors on their MIB/RS232 port: Data Export.

    C0 | 11 01 | length u16 | payload | FCS low, high | C1      C0, C1, 7D inside as 7D and the byte with bit 5 turned
    payload   0E ..                                             association accepted (0C refused, 19 given up)
              E1 00 00 02 | 1 | MDS create event                who the monitor is; to be answered before data come
              E1 00 00 02 | 2 or 5 | .. F13B .. | class, group  results: 0006 numerics, 0009 waves, 0036 alarms
                  contexts > objects by handle > attributes     a set too large for one message comes linked (5, .. 2)

How the frames, messages, values, waves, alarms and the talk work stands in `drivers.philips`.

Source: Philips Data Export Interface Programming Guide rev. G.0 (453564259271), read through the public notes and
programs that follow it; xeonfusion/VSCaptureMP for association bytes that monitors accept; a recording of an IntelliVue
M8000 (vinod898/JVSCapture), of which every frame is read.

Numerics are said as often as the monitor sends them, every 1.024 s. A number the monitor measured at a moment of its
own (a cuff) comes with a status `measured-at`; settings and alarm limits are `philips_intellivue:setting-0x....`,
never the channel of the measurement they are for. Marks of samples need every bit of the monitor's mask: its pace and
its saturation mask share one bit, and the recording has neither. DeviceTime is said for the newest results only: waves
come 0.6 to 1.4 s after the numerics of their time. `first` of a wave counts samples from the monitor's time zero.
When results stop, alarms stay as they were: only the monitor's next list says that one is over.

Protected: every frame by a CRC of 16 bits, so one damaged frame in 65536 passes. Results are numbered by the monitor,
but a lost one is seen by its time only. Not known: how alarms look on a real line (no recording has them), what FAST
or averaged polls give, whether a monitor exports waves before its list of waves is set (`drivers.philips.session`).
Patient data is never asked for. The monitor's clock is never set.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.contract import Driver, Info, Integrity, Output, Serial
from drivers.philips import codes
from drivers.philips.frames import Reader
from drivers.philips.monitor import EMITS, Monitor
from drivers.philips.session import SENDS


class PhilipsIntelliVue(Driver):
    info = Info(
        id=codes.DRIVER_ID,
        models=("Philips IntelliVue MP5-MP90", "Philips IntelliVue MX400-MX850", "Philips Avalon FM20-FM50"),
        claims=(Serial(115200), Serial(19200)),
        emits=EMITS,
        integrity=Integrity.CRC,
        wiring="MIB/RS232 port of the monitor (RJ45, not the port called RS232; MP2, X2 and X3 have none) to DB9:"
        " 4 ground to 5, 5 TxD to 2, 7 RxD to 3; unshielded cable, no null modem. Main Setup, Operating Modes, Service;"
        " Main Setup, Hardware: Data Export Fix 115200, Interfaces: driver of the port DtOut1; restart the monitor",
        sends=SENDS,
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._reader = Reader(self.counts)
        self._monitor = Monitor(self.counts)

    def on_open(self, now: int) -> list[Output]:
        said = list(self._monitor.open(now))
        self.wake_at = self._monitor.wake_at
        return said

    def on_bytes(self, data: bytes, now: int, source: str = "") -> list[Output]:
        said = [one for message in self._reader.feed(data) for one in self._monitor.hear(message, now)]
        self.wake_at = self._monitor.wake_at
        return said

    def on_time(self, now: int) -> list[Output]:
        said = list(self._monitor.wake(now))
        self.wake_at = self._monitor.wake_at
        return said

    def pending(self) -> int:
        return len(self._reader)
