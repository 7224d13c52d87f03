"""One device being heard, from plug to unplug: its streams, its catalogue entry, and what it said, stamped.

A session asks nobody for the time: `t` comes with the outputs. It numbers streams as they are first heard; the numbers
are the gateway's, unique within the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction

from agent.sessions.track import Run, Track
from drivers.contract import (
    Alarm,
    DeviceTime,
    Driver,
    Identity,
    Numeric,
    Output,
    PatientId,
    Phase,
    Reached,
    Read,
    Scale,
    Send,
    Status,
    Subscribe,
    Wave,
    Why,
)
from drivers.vocabulary import mdc_of
from wire.records import (
    AlarmAt,
    Catalogue,
    DeviceTimeAt,
    Line,
    NumericAt,
    PatientIdAt,
    Ratio,
    Record,
    SessionAt,
    StatusAt,
    StreamGap,
    StreamInfo,
)

STREAMS_LIMIT_COUNT = 512
STANDING_LIMIT_COUNT = 512
TEXT_LIMIT_LETTERS = 200
NUMBER_LIMIT_BITS = 61  # a bundle holds 64, and readers add and subtract
DIGITS_LIMIT_COUNT = 18
EXPONENT_LIMIT_DIGITS = 150
NO_SCALE = Scale(Fraction(0), "")


class Session:
    """Hears one driver. `records` collects what was said since the last `take`; `urgent`: an alarm or a scan was."""

    def __init__(self, number: int, driver: Driver, port: str, next_stream: Callable[[], int], t: int) -> None:
        self.number = number
        self.driver = driver
        self.port = port
        self.heard: int | None = None
        self.urgent = False
        self.changed = True
        self.refused_streams = 0
        self._next_stream = next_stream
        self._identity = Identity()
        self._standing: dict[tuple[str, str, str], Output] = {}
        self._known: dict[tuple[bool, bool], Identity] = {}  # by whether maker and model were said with it
        self._streams: dict[tuple[str, Scale | str], StreamInfo] = {}
        self._tracks: dict[int, Track] = {}
        self._current: dict[str, tuple[Scale, Track]] = {}  # of each channel; comparing scales each time is dear
        self._gaps: list[StreamGap] = []
        self._records: list[Record] = [SessionAt(t, number, "open", "")]
        self._skipped = driver.counts.skipped
        self._line = Line(0, number, 0, 0, 0)

    def standing(self) -> list[Output]:
        """Alarms and states that were said and not taken back, for the session that goes on with this driver."""
        return list(self._standing.values())

    def _stand(self, said: Alarm | Status) -> None:
        key = type(said).__name__, said.code, said.channel
        if said.phase is Phase.OFF:
            self._standing.pop(key, None)
        elif len(self._standing) < STANDING_LIMIT_COUNT:
            self._standing[key] = said

    def is_other(self, said: Identity) -> bool:
        """Whether this is another device than the one of this session: another serial number, said in the same way.

        Some say first how they are addressed, and later what stands on their label: that is one device.
        """
        was = self._known.get((bool(said.maker), bool(said.model)))
        return was is not None and said.is_one and was.is_one and was.serial != said.serial

    def hear(self, outputs: Iterable[Output], t: int) -> list[Send]:
        """Take a driver's outputs that are of time `t` (microseconds); returns what it wants sent."""
        others: list[Output] = []
        sends: list[Send] = []
        asked = 0
        outputs = list(outputs)  # the driver counts as it goes: all of it first
        self._watch_line(t)
        for output in outputs:
            if isinstance(output, Wave):
                self._wave(output, t)
            elif isinstance(output, Send):
                sends.append(output)
            elif isinstance(output, Subscribe | Read | Reached):
                asked += 1
            else:
                others.append(output)
        for output in others:  # after the waves, so that the streams of neighbouring waves are numbered in a row
            self._say(output, t)
        if len(outputs) > len(sends) + asked:
            self.heard = t
        return sends

    def _watch_line(self, t: int) -> None:
        """Bytes that were in no frame may have been samples: say so on every wave (nobody can know how many)."""
        counts = self.driver.counts
        if counts.skipped > self._skipped:
            for track in self._tracks.values():
                if track.index:
                    track.gap(None, "parse", t)
        self._skipped = counts.skipped

    def _wave(self, wave: Wave, t: int) -> None:
        scale, track = self._current.get(wave.channel, (None, None))
        if track is None or (scale is not wave.scale and scale != wave.scale):
            track = self._track(wave, t)
            if track is None:
                return
            self._current[wave.channel] = wave.scale, track
        track.take(wave, t)

    def _track(self, wave: Wave, t: int) -> Track | None:
        """The track of a channel at this scale."""
        counter = -1 if wave.first is None else wave.first
        info = self._stream(wave.channel, wave.scale, t, wave.scale, counter)
        return None if info is None else self._tracks.setdefault(info.stream, Track(info.stream, self._gaps))

    def _say(self, output: Output, t: int) -> None:
        match output:
            case Numeric():
                info = self._stream(output.channel, output.unit, t, NO_SCALE)
                if info is not None:
                    value, why = _bounded(output)
                    self._records.append(NumericAt(t, info.stream, value, why, *_clock(output.taken)))
            case Alarm():
                self.urgent = True
                self._stand(output)
                code, text, channel = map(_short, (output.code, output.text, output.channel))
                self._records.append(AlarmAt(t, self.number, code, text, output.priority, output.phase, channel))
            case Status():
                self._stand(output)
                code, text, channel = map(_short, (output.code, output.text, output.channel))
                self._records.append(StatusAt(t, self.number, code, output.phase, text, channel))
            case DeviceTime():
                self._records.append(DeviceTimeAt(t, self.number, *_clock(output)))
            case Identity():
                self.changed = self.changed or output != self._identity
                self._identity = output
                self._known[bool(output.maker), bool(output.model)] = output
            case PatientId():
                self.urgent = True  # a nurse waits for it
                self._records.append(PatientIdAt(t, self.number, _short(output.code), _short(output.name)))

    def _stream(self, channel: str, key: Scale | str, t: int, scale: Scale, counter: int = -1) -> StreamInfo | None:
        """The stream of a channel with this scale or unit; None where it cannot be one, which is said once."""
        info = self._streams.get((channel, key))
        if info is not None:
            return info
        if len(self._streams) >= STREAMS_LIMIT_COUNT or not all(map(_fits, (scale.rate, scale.gain, scale.offset))):
            self._refuse(channel, t)
            return None
        info = StreamInfo(
            self._next_stream(),
            _short(channel),
            mdc_of(channel) or 0,
            _short(key if isinstance(key, str) else key.unit),
            _ratio(scale.rate),
            _ratio(scale.gain),
            _ratio(scale.offset),
            scale.bits,
            _short(scale.filter),
            counter,
        )
        self._streams[channel, key] = info
        self.changed = True
        return info

    def _refuse(self, channel: str, t: int) -> None:
        if not self.refused_streams:
            self._records.append(StatusAt(t, self.number, "streams-refused", "on", "", _short(channel)))
        self.refused_streams += 1

    def take(self, t: int) -> tuple[list[Record], list[Run]]:
        """What was said and heard since the last call; `t` is now, in microseconds."""
        runs = [run for track in self._tracks.values() for run in track.close()]
        records: list[Record] = [*self._records, *self._gaps]
        self._records.clear()
        self._gaps.clear()
        self.urgent = False
        return records, runs

    def line(self, t: int) -> list[Record]:
        """The line's counts, if they changed since they were last said."""
        counts = self.driver.counts
        line = Line(t, self.number, counts.frames, counts.bad, counts.skipped)
        if (line.bad, line.skipped) == (self._line.bad, self._line.skipped):
            return []
        self._line = line
        return [line]

    def close(self, t: int, reason: str) -> None:
        """The device was unplugged, or its driver failed."""
        counts = self.driver.counts
        self._records.append(Line(t, self.number, counts.frames, counts.bad, counts.skipped + self.driver.pending()))
        self._records.append(SessionAt(t, self.number, "closed", _short(reason)))

    def catalogue(self, t: int) -> Catalogue:
        """Who this is and what its streams mean."""
        self.changed = False
        who, info = self._identity, self.driver.info
        return Catalogue(
            t=t,
            session=self.number,
            driver=info.id,
            integrity=info.integrity,
            port=_short(self.port),
            maker=_short(who.maker),
            model=_short(who.model),
            serial=_short(who.serial),
            firmware=_short(who.firmware),
            streams=list(self._streams.values()),
        )


def _bounded(said: Numeric) -> tuple[int | Decimal | None, str]:
    """A reading and its reason; what no bundle can hold is no reading, and must not cost the bundle."""
    value = said.value
    if isinstance(value, Decimal):
        _, digits, exponent = value.as_tuple()
        good = len(digits) <= DIGITS_LIMIT_COUNT and isinstance(exponent, int) and abs(exponent) < EXPONENT_LIMIT_DIGITS
    else:
        good = value is None or value.bit_length() <= NUMBER_LIMIT_BITS
    return (value, said.why or "") if good else (None, Why.INVALID)


def _clock(said: DeviceTime | None) -> tuple[str, int | None, Ratio]:
    """What a device's clock said, or nothing."""
    return ("", None, (1, 1)) if said is None else (_short(said.iso), said.ticks, _ratio(said.hertz))


def _fits(value: Fraction) -> bool:
    return max(value.numerator.bit_length(), value.denominator.bit_length()) <= NUMBER_LIMIT_BITS


def _ratio(value: Fraction) -> Ratio:
    return value.numerator, value.denominator


def _short(text: str) -> str:
    """Texts come from the line: bounded, and without what could pass for something else on a terminal or page."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)[
        :TEXT_LIMIT_LETTERS
    ]
