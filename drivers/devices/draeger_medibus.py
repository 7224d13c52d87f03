"""Draeger ventilators and anaesthesia machines on MEDIBUS: readings, limits, settings, alarms, texts and curves.

    01 | 24 | EB " 98 " E1 " 70 " | 37 41 | 0D      ASCII: the answer to "measured data", SpO2 98 %, pulse 70 a minute
    D3 | 91 81 | 8D 83                              realtime: bit 7 set, streams 1 and 2, values 81 and 205

How messages, values, curves and the talk work stands in `drivers.draeger`.

Source: Draeger RS 232 MEDIBUS Protocol Definition rev. 6.00, and "MEDIBUS for Draeger intensive care devices" for the
codes; OpenICE (mdpnp/mdpnp, BSD-2) and xeonfusion/VSCaptureDrgVent at f09a6084, read for what devices do.
Proven on the worked examples of the Protocol Definition, and on readings, limits, settings and alarm phrases of an
Evita 4 that KaiWU17TUM/icu_devices (MIT) wrote down, put back into messages. No recording of a line is in hand.

Protected: the ASCII half by a sum of 8 bits; realtime records by their form alone, so a flipped bit in a curve is not
seen. Records have no counter: samples that follow a refused record are marked `gap`; how many were lost is not known.
Where the device says that an expiration or an inspiration begins, the next sample of every curve is marked so.
Not known: what a value beyond the greatest of its curve means (kept, and marked `beyond-scale`), units of codes that no
source names (told without one), whether alarms may be listed twice, code page 3, where a device sends a command inside
a response (the response is refused then, and asked for again). `vent.tidal_vol`, `vent.peep` and the pressures are what
the device calls so; expired minute volume is `draeger_medibus:1-B9`, as the vocabulary has the inspired one only.
Nothing that sets is ever sent: not the clock, not the list of data to answer, no trend, no stop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from drivers.contract import Driver, Info, Integrity, Output, Serial
from drivers.draeger import codes, slow
from drivers.draeger.curves import Records
from drivers.draeger.session import SENDS, Talk
from drivers.draeger.values import Values
from drivers.framing import Framer

RUNS = re.compile(rb"[\x80-\xFF]+|[\x11\x13]|[^\x11\x13\x80-\xFF]+")


class DraegerMedibus(Driver):
    info = Info(
        id=codes.DRIVER_ID,
        models=(
            "Draeger Evita 4, Evita XL, Evita Infinity V500",
            "Draeger Savina, Oxylog, Babylog 8000",
            "Draeger Apollo, Fabius",
        ),
        claims=(
            Serial(19200, parity="E"), Serial(9600, parity="E"), Serial(38400), Serial(19200), Serial(9600),
        ),
        emits=(
            *("spo2", "spo2.pr", "co2.et", "co2.insp", "co2.wave", "o2.fio2", "resp.rr", "resp.rr_co2"),
            *("vent.tidal_vol", "vent.peep", "vent.p_max", "vent.p_mean", "mdc:151792", "mdc:151764"),
            "draeger_medibus:*",
        ),
        integrity=Integrity.SUM,
        wiring="RS-232 port of the device (COM or MEDIBUS; DB9: 2 receives, 3 sends, 5 ground). In its interface menu: "
        "MEDIBUS, 19200 baud, parity even (Evita); 9600 (Apollo, Fabius) is tight for three curves.",
        sends=SENDS,
    )  # fmt: skip

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._slow = Framer(slow.cut, self.counts)
        self._records = Records(self.counts)
        self._values = Values()
        self._talk = Talk()

    def pending(self) -> int:
        return len(self._slow) + len(self._records)

    def on_open(self, now: int) -> list[Output]:
        return self._awake(list(self._talk.open(now)))

    def on_time(self, now: int) -> list[Output]:
        return self._awake(list(self._talk.wake(now)))

    def on_bytes(self, data: bytes, now: int, source: str = "") -> list[Output]:
        """Both halves in the order of the line: what the one says decides what the other means."""
        said: list[Output] = []
        for run in RUNS.findall(data):
            if run[0] & 0x80:
                if self._records.feed(run):
                    self._talk.record(now)
            elif run[0] in (slow.SUSPEND, slow.RESUME):
                self.counts.skipped += 1
                said += self._talk.suspend(now, on=run[0] == slow.SUSPEND)
            else:
                said += self._heard(run, now)
        said += self._records.waves()
        return self._awake(said)

    def _heard(self, run: bytes, now: int) -> Iterator[Output]:
        for body in self._slow.feed(run):
            message = slow.message(body)
            yield from self._talk.hear(message, now)
            self._records.expect(self._talk.streams)
            if message.code == slow.CORRUPT:
                self.counts.reasons["refused by the device"] = self.counts.reasons.get("refused by the device", 0) + 1
            elif not message.is_command:
                yield from self._values.said(message)

    def _awake(self, said: list[Output]) -> list[Output]:
        self.wake_at = self._talk.wake_at
        self._records.expect(self._talk.streams)
        return said
