"""GE and Datex-Ohmeda patient monitors on their serial port: the Datex-Ohmeda Record Interface (DRI), S/5.

    7E | record | sum | 7E      a record of main type 0 numerics every 5 s, 1 waves, 4 alarms; asked for, then unasked

How frames and requests look, which groups of measurements there are, how waves and alarms are read stands in
`drivers.ge`.

Source: GE S/5 Computer Interface M1017617 rev. 12 and Datex-Ohmeda Record Specification 8005313 rev. 12, read through
public notes and the programs that follow them (xeonfusion/VSCaptureWave, KaiWU17TUM/icu_devices, which ran on a B650).

Proven on the maker's request examples (M1017617, Appendix A) only: no recording of a monitor's answer was at hand, and
the captures are made by the rules. VSCaptureWave at 89f2714b holds one, Test/S5Rawoutput.raw, still to be tried.

The heart rate shown is `ecg.hr` where the monitor says it is the ECG's, else `pulse.generic`. Pressures and
temperatures have the name of their site where the monitor labels one. The monitor's ECG channel 1 is `ecg.unspecified`:
its lead is in the label of the ECG group, and the descriptions do not agree whether in its lowest or in its third
nibble, so the label is told as it is (`label`, four hex digits; 1 I, 2 II, 3 III, 4 aVR, 5 aVL, 6 aVF, 7 V). Gases are
in % of volume. Trends (types 2, 3), auxiliary information (4) and network records are counted and not told.

Protected: every frame by a sum of 8 bits, so one damaged frame in 256 passes unless its length or its list does not
add up. Not known: whether the monitor's time is local; how often waves come and what the control codes among samples
mean; whether monitors older than CARESCAPE answer requests for alarms; when a value is "not updated".
A request from a host, our own come back included, is refused: a loop is no monitor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from drivers.contract import DeviceTime, Driver, Info, Integrity, Output, Phase, Send, Serial, Status
from drivers.ge.alarms import STATUS_TYPE, Alarms
from drivers.ge.frames import ALARMS, PHYSIOLOGICAL, WAVES, Reader, Record
from drivers.ge.numerics import DRIVER_ID, SUBRECORD_BYTES, Numerics
from drivers.ge.requests import ALARM_CHANGES, ALARMS_ONCE, DISPLAYED, NUMERICS_EVERY_5_S, SENDS, WAVES_FROM_NOW
from drivers.ge.waves import Collected

SECOND_NS = 1_000_000_000
LOOK_NS = 10 * SECOND_NS  # how often it is seen what comes no longer, and alarms are asked for again
LATE_NS = {PHYSIOLOGICAL: 15 * SECOND_NS, WAVES: 5 * SECOND_NS}
ASKED = {PHYSIOLOGICAL: NUMERICS_EVERY_5_S, WAVES: WAVES_FROM_NOW}
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  the monitor says no zone


class GeS5(Driver):
    info = Info(
        id=DRIVER_ID,
        models=(
            *("GE B20/B30/B40", "GE B105/B125", "GE CARESCAPE B450/B650/B850"),
            *("Datex-Ohmeda S/5, S/5 Light, AS/3, CS/3", "Datex-Ohmeda Cardiocap/5"),
        ),
        claims=(Serial(19200, parity="E"), Serial(115200, parity="E")),
        emits=(
            *(
                "ecg.hr",
                "ecg.st_*",
                "ecg.unspecified",
                "pulse.generic",
                "spo2",
                "spo2.pr",
                "nibp.*",
                "ibp.*",
                "temp.*",
                "resp.*",
                "co2.*",
            ),
            *("o2.fio2", "cardiac.output", "vent.*", "pleth", "ge_s5:*"),
        ),
        integrity=Integrity.SUM,
        wiring="Serial port of the monitor, 19200 8E1 with RTS/CTS: all of 2, 3, 5, 7 and 8 must be wired. DB9 male: 2"
        " RxD, 3 TxD, 5 ground, 7 RTS, 8 CTS. DB9 female (B20, B40, B105, B125): 2 TxD, 3 RxD, 7 CTS, 8 RTS. B450,"
        " B650 and B850 need an ATEN UC-232A (Prolific) USB adapter in the monitor. A male port needs a crossed cable",
        sends=SENDS,
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._reader = Reader(self.counts)
        self._numerics = Numerics()
        self._alarms = Alarms()
        self._heard_at: dict[int, int] = {}
        self._record_at: int | None = None
        self._seconds = 0
        self._texts: dict[str, str] = {}

    def pending(self) -> int:
        return len(self._reader)

    def on_open(self, now: int) -> list[Output]:
        self.wake_at = now + LOOK_NS
        return [Send(NUMERICS_EVERY_5_S), Send(WAVES_FROM_NOW), Send(ALARM_CHANGES)]

    def on_time(self, now: int) -> list[Output]:
        """Ask again for what stays away: after a blocked line waves come no more until they are asked for."""
        self.wake_at = now + LOOK_NS
        if self._record_at is None or now - self._record_at >= LOOK_NS:
            return [Send(NUMERICS_EVERY_5_S), Send(WAVES_FROM_NOW), Send(ALARM_CHANGES)]
        late = [kind for kind, limit in LATE_NS.items() if now - self._heard_at.get(kind, now - limit) >= limit]
        again = [ALARMS_ONCE] if ALARMS in self._heard_at else []
        return [*map(Send, [*(ASKED[kind] for kind in late), *again])]

    def on_bytes(self, data: bytes, now: int, source: str = "") -> list[Output]:
        said: list[Output] = []
        collected = Collected(self._numerics.sites)
        for record in self._reader.feed(data):
            self._record_at = self._heard_at[record.kind] = now
            said += self._about(record)
            said += self._told(record, collected)
        return [*said, *collected.waves()]

    def _about(self, record: Record) -> Iterator[Output]:
        """The monitor's clock, and what its header says of itself."""
        if record.seconds not in (0, self._seconds):
            self._seconds = record.seconds
            yield DeviceTime((EPOCH + timedelta(seconds=record.seconds)).isoformat())
        for name, text in (("dri-level", str(record.level)), ("plug-id", str(record.plug))):
            if self._texts.get(name) != text:
                self._texts[name] = text
                yield Status(name, Phase.ON, text)

    def _told(self, record: Record, collected: Collected) -> Iterator[Output]:
        for kind, data in record.parts:
            if record.kind == PHYSIOLOGICAL and kind == DISPLAYED and len(data) >= SUBRECORD_BYTES:
                yield from self._numerics.said(data)
            elif record.kind == ALARMS and kind == STATUS_TYPE:
                yield from self._alarms.said(data)
            elif record.kind != WAVES or not collected.add(kind, data):
                self._count(f"not read: {record.kind}/{kind}")

    def _count(self, reason: str) -> None:
        """What a good frame holds and we do not use; the frame itself is not refused."""
        if reason in self.counts.reasons or len(self.counts.reasons) < 64:
            self.counts.reasons[reason] = self.counts.reasons.get(reason, 0) + 1
