"""The capture format: what it accepts, what it refuses and says of it, and that it comes back as it was written."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

import pytest

from drivers import capture
from drivers.capture import CaptureError, Entry, parse, say, seconds
from drivers.contract import (
    Alarm,
    DeviceTime,
    Driver,
    Identity,
    Info,
    Integrity,
    Mark,
    Masked,
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
from tests.bless import annotated

HEAD = "driver: echo\ndevice: a device\ncaptured: 2026-01-02\norigin: made\nstory: one: and two"


def test_a_whole_capture_is_read() -> None:
    story = parse(f"# about this file\n{HEAD}\n\n0.5 > 7d 81\n# between\n\n0.500000001 < 01FF\n1 = numeric spo2 97 %\n")
    assert story.header["story"] == "one: and two"
    assert story.entries == (
        Entry(500_000_000, ">", bytes.fromhex("7D81")),
        Entry(500_000_001, "<", b"\x01\xff"),
        Entry(1_000_000_000, "=", text="numeric spo2 97 %"),
    )
    assert list(story.chunks()) == [(500_000_001, b"\x01\xff")]
    assert story.end == 1_000_000_000


def test_a_header_alone_is_an_empty_capture() -> None:
    assert parse(HEAD).entries == ()
    assert parse(HEAD).end == 0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("0.0 ! 00", "line 7: not `seconds"),
        ("0.0 <", "line 7: not `seconds"),
        ("0.0 < 0G", "line 7: non-hexadecimal"),
        ("now < 00", "line 7: "),
        ("0.0 < 00\n\n# fine\n0.1 < 0", "line 10: non-hexadecimal"),
        ("1.0 < 00\n0.9 < 00", "time runs backwards"),
    ],
)
def test_what_is_no_capture_is_refused_with_its_line(body: str, says: str) -> None:
    with pytest.raises(CaptureError, match=f"^{says}"):
        parse(f"{HEAD}\n\n{body}\n")


def test_a_header_must_be_whole_and_of_named_lines() -> None:
    with pytest.raises(CaptureError, match="the header lacks captured, story"):
        parse("driver: x\ndevice: y\norigin: z\n\n0.0 < 00\n")
    with pytest.raises(CaptureError, match="without a colon: 'nonsense'"):
        parse(f"{HEAD}\nnonsense\n\n")


@pytest.mark.parametrize(
    ("at", "text"),
    [(0, "0.000"), (1, "0.000000001"), (16_000_000, "0.016"), (5_500_000_000, "5.500"), (61_000_250_000, "61.00025")],
)
def test_seconds_are_short_and_exact(at: int, text: str) -> None:
    assert seconds(at) == text
    assert parse(f"{HEAD}\n\n{text} < 00\n").entries[0].at == at


SCALE = Scale(Fraction(200), "mV", Fraction(1, 50), Fraction(100), 8, "DIAG")


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (Numeric("spo2", 0, "%"), "numeric spo2 0 %"),
        (Numeric("spo2", None, "%", Why.SENSOR_OFF), "numeric spo2 - % sensor-off"),
        (Numeric("spo2", Decimal("97.50"), "%", Why.QUESTIONABLE), "numeric spo2 97.50 % questionable"),
        (Wave("ecg.ii", (1, -2), SCALE), "wave ecg.ii 200Hz x1/50mV -100 8bit DIAG | 1 -2"),
        (
            Wave("pleth", (5,), Scale(Fraction(60), "1"), 7, 800, (Mark(0, "beat"), Mark(0, "off", 3))),
            "wave pleth 60Hz x11 -0 first=7 beat@0 off@0+3 | 5",
        ),
        (Alarm("HR", "HIGH", "unknown", Phase.ON, "ecg.hr"), "alarm HR on unknown ecg.hr 'HIGH'"),
        (Status("free", Phase.OFF), "status free off"),
        (Status("mode", Phase.ON, "A b", "spo2"), "status mode on spo2 'A b'"),
        (DeviceTime("2004-01-07T11:24:50"), "device-time 2004-01-07T11:24:50"),
        (DeviceTime(ticks=5, hertz=Fraction(8000)), "device-time ticks=5@8000"),
        (Identity("Contec", serial="user"), "identity maker='Contec' serial='user'"),
        (PatientId("123"), "patient '123'"),
        (PatientId("123", "A B"), "patient '123' 'A B'"),
        (Subscribe("2a5f"), "subscribe 2a5f"),
        (Read(capture.full("2a19")), "read 2a19"),
        (Send(b"\x01\xff"), "send 01FF"),
    ],
)
def test_each_output_has_its_words(output: Output, text: str) -> None:
    assert say(output) == text


def test_an_absent_numeric_needs_a_reason() -> None:
    with pytest.raises(AssertionError, match="absent without a reason"):
        Numeric("spo2", None, "%")


class Echo(Driver):
    """Says the length of each chunk, asks at the start, and asks again each second."""

    def on_open(self, now: int) -> Iterable[Output]:
        self.wake_at = now + 1_000_000_000
        return [Send(b"\x01")]

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        return [Numeric("pulse.generic", len(data), "/min")]

    def on_time(self, now: int) -> Iterable[Output]:
        self.wake_at = now + 1_000_000_000
        return [Send(b"\x02")]


def test_a_transcript_comes_back_as_it_was_written() -> None:
    story = parse(f"{HEAD}\n\n0.000 < AABB\n1.500 < CC\n2.500 = end\n")
    told = capture.transcript(Echo(), story)
    assert told == [
        "0.000 > 01",
        "0.000 < AABB",
        "0.000 = numeric pulse.generic 2 /min",
        "1.000000001 > 02",
        "1.500 < CC",
        "1.500 = numeric pulse.generic 1 /min",
        "2.000000002 > 02",
    ]
    again = parse(HEAD + "\n\n" + "\n".join(told) + "\n")
    assert capture.transcript(Echo(), again) == told
    assert list(again.chunks()) == list(story.chunks())


def test_play_wakes_the_driver_between_chunks_and_to_the_end() -> None:
    said = list(capture.play(Echo(), [(2_500_000_000, b"x")], end=3_100_000_000))
    assert [(at, type(output)) for at, output in said] == [
        (0, Send),
        (1_000_000_001, Send),
        (2_000_000_002, Send),
        (2_500_000_000, Numeric),
        (3_000_000_003, Send),
    ]


class Reader(Driver):
    """Asks for what it has not read yet; says all it hears."""

    info = Info("reader", ("Reader",), (), (), Integrity.NONE, "", masked=(Masked(b"\x01\x00", b"\x00\xff"),))

    def on_open(self, now: int) -> Iterable[Output]:
        return [Subscribe(capture.full("2a18")), Send(bytes([1, int(self.reached)]), capture.full("2a52"))]

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        return [Status(capture.brief(source), Phase.ON), Reached(str(data[0]))]


def test_a_capture_over_ble_says_the_characteristic_and_where_the_memory_stood() -> None:
    body = [
        "0.000 = subscribe 2a18",
        "0.000 >2a52 0107",
        "1.000 <2a18 08",
        "1.000 = status 2a18 on",
        "1.000 = reached '8'",
        "2.000 <49535343-1e4d-4bd9-ba61-23c647249616 09",
        "2.000 = status 49535343-1e4d-4bd9-ba61-23c647249616 on",
        "2.000 = reached '9'",
    ]
    story = parse(f"{HEAD}\nreached: 7\n\n" + "\n".join(body))
    assert capture.transcript(Reader(), story) == body
    assert next(iter(story.notified())) == (1_000_000_000, b"\x08", "00002a18-0000-1000-8000-00805f9b34fb")


def test_masked_bytes_are_free_only_where_the_mask_says() -> None:
    assert Reader.info.allows(b"\x01\x07")
    assert not any(map(Reader.info.allows, (b"\x02\x07", b"\x01", b"\x01\x07\x00", b"")))
    with pytest.raises(AssertionError, match="free bits"):
        Masked(b"\x01\x01", b"\x00\xff")


def test_blessing_keeps_each_comment_before_its_bytes_over_radio_too() -> None:
    before = ["0.1 <2a18 01", "# about two", "0.2 < 02", "# the end"]
    told = ["0.0 = subscribe 2a18", "0.1 <2a18 01", "0.1 = status free off", "0.2 < 02"]
    assert list(annotated(told, before)) == [*told[:3], "# about two", told[3], "# the end"]
