"""contec_v5 and the five-byte stream it shares with berry_bci, against frames made by the rules and a real pleth."""

import itertools
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from drivers import capture, registry
from drivers.bci.oximeter import LOST_BYTES, RUN_FRAMES
from drivers.contract import Counts, Mark, Numeric, Output, Phase, Serial, Status, Wave, Why
from drivers.devices.contec_v5 import ContecV5
from drivers.devices.contec_v7 import ContecV7

CAPTURES = Path(__file__).parent.parent / "captures"


def frame(b1: int = 5, pleth: int = 50, b3: int = 6, pr: int = 72, spo2: int = 97) -> bytes:
    return bytes((0x80 | b1, pleth, b3 | (pr & 0x80) >> 1, pr & 0x7F, spo2))


RUN = frame() * RUN_FRAMES  # makes the stream known
NEXT = b"\x85"  # without the next frame's first byte no frame is one


def heard(*chunks: bytes) -> list[Output]:
    driver = ContecV5()
    return [output for data in chunks for output in driver.on_bytes(data, 0)]


def after_run(data: bytes) -> list[Output]:
    """What is said of `data` alone, in a stream that is known."""
    driver = ContecV5()
    list(driver.on_bytes(RUN + data[:1], 0))
    return list(driver.on_bytes(data[1:] + NEXT, 0))


def numerics(said: Iterable[Output]) -> dict[str, Numeric]:
    """The last numeric of each channel."""
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def samples(said: Iterable[Output], channel: str) -> list[int]:
    return [s for output in said if isinstance(output, Wave) and output.channel == channel for s in output.samples]


def test_the_makers_lines() -> None:
    assert ContecV5.info.claims == (Serial(19200, parity="O"), Serial(4800))
    assert not ContecV5.info.sends


def test_a_frame_in_a_known_stream() -> None:
    said = after_run(frame(b1=8, pleth=127, b3=15, pr=60, spo2=100))
    assert numerics(said) == {"spo2": Numeric("spo2", 100, "%"), "spo2.pr": Numeric("spo2.pr", 60, "/min")}
    assert [samples(said, channel) for channel in ("pleth", "spo2.bar", "spo2.signal")] == [[127], [15], [8]]


def test_every_pulse_rate_of_eight_bits() -> None:
    said = heard(RUN + b"".join(frame(pr=rate) for rate in range(1, 255)) + NEXT)
    told = [n.value for n in said if isinstance(n, Numeric) and n.channel == "spo2.pr"]
    assert [rate for rate, _ in itertools.groupby(told)] == [72, *range(1, 255)]


@pytest.mark.parametrize("absent", [0, 127])
def test_no_saturation(absent: int) -> None:
    assert numerics(after_run(frame(spo2=absent)))["spo2"] == Numeric("spo2", None, "%", Why.INVALID)


@pytest.mark.parametrize("absent", [0, 255])
def test_no_pulse_rate(absent: int) -> None:
    assert numerics(after_run(frame(pr=absent)))["spo2.pr"] == Numeric("spo2.pr", None, "/min", Why.INVALID)


@pytest.mark.parametrize(
    ("bits", "code", "channel", "why"),
    [
        ({"b3": 0x16}, "probe-error", "", Why.SENSOR_OFF),
        ({"b3": 0x26}, "searching", "", Why.SEARCHING),
        ({"b1": 0x15}, "searching-too-long", "", Why.SEARCHING),
        ({"b1": 0x25}, "spo2-dropping", "spo2", Why.INVALID),
    ],
)
def test_every_status_bit(bits: dict[str, int], code: str, channel: str, why: Why) -> None:
    said = after_run(frame(spo2=0, **bits))
    assert [s for s in said if isinstance(s, Status)] == [Status(code, Phase.ON, channel=channel)]
    assert numerics(said)["spo2"] == Numeric("spo2", None, "%", why)
    over = heard(RUN + frame(**bits) * 3 + frame() + NEXT)
    assert [s.phase for s in over if isinstance(s, Status)] == [Phase.ON, Phase.OFF]


def test_numbers_left_standing_with_a_probe_error_are_no_readings() -> None:
    said = after_run(frame(b3=0x16))
    assert [n.why for n in numerics(said).values()] == [Why.SENSOR_OFF] * 2
    assert next(w.marks for w in said if isinstance(w, Wave)) == (Mark(0, "sensor-off"),)


def test_a_number_in_a_search_is_doubted_and_one_in_a_fall_is_not() -> None:
    assert numerics(after_run(frame(b3=0x26)))["spo2"] == Numeric("spo2", 97, "%", Why.SEARCHING)
    assert "spo2" not in numerics(after_run(frame(b1=0x35))), "the standing reading is as good as before"


def test_a_beat_is_marked_once() -> None:
    said = after_run(frame() + frame(b1=0x45) * 2 + frame() + frame(b1=0x45))
    assert next(w.marks for w in said if isinstance(w, Wave)) == (Mark(1, "beat"), Mark(4, "beat"))


def test_numbers_come_on_change_and_once_a_second() -> None:
    said = heard(frame() * 100 + frame(spo2=98) * 80 + NEXT)
    assert [n.value for n in said if isinstance(n, Numeric) and n.channel == "spo2"] == [97, 97, 98, 98]


def test_nothing_is_said_before_a_run_and_nothing_of_the_run_is_lost() -> None:
    driver = ContecV5()
    assert not list(driver.on_bytes(RUN, 0))
    assert driver.pending() == len(RUN)
    assert len(samples(driver.on_bytes(NEXT, 0), "pleth")) == RUN_FRAMES
    assert driver.counts == Counts(frames=RUN_FRAMES)


def test_frames_whose_numbers_never_rest_are_another_devices() -> None:
    assert heard(b"".join(frame(pr=60 + k % 7) for k in range(1000))) == []
    assert heard(b"".join(frame(spo2=90 + k % 5) for k in range(1000))) == []


def test_a_nonin_stream_has_the_rhythm_but_not_the_rest() -> None:
    """Format 2: 01, status with bit 7, pleth, one of 25 numbers, sum of the four."""
    data = b""
    for k in range(2000):
        body = bytes((1, 0x81 if k % 25 == 0 else 0x80, 40 + k % 60, (0, 72, 97)[k % 25] if k % 25 < 3 else 0))
        data += body + bytes((sum(body) & 0xFF,))
    assert heard(data) == []


def test_noise_is_no_oximeter() -> None:
    rng = random.Random(5)
    assert heard(rng.randbytes(400_000)) == []
    assert heard(bytes(rng.randrange(256) & (0xFF if k % 5 == 0 else 0x7F) for k in range(100_000))) == []


def test_no_other_devices_capture_is_taken_for_one() -> None:
    for path in CAPTURES.glob("*/*.cap"):
        if path.parent.name not in ("contec_v5", "berry_bci"):
            driver = ContecV5()
            for at, data in capture.parse(path.read_text(encoding="utf-8")).chunks():
                assert not list(driver.on_bytes(data, at)), path.parent.name


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (frame()[:3], "cut short"),
        (frame()[:2] + b"\0" + frame()[2:], "no next frame"),
        (frame(spo2=101), "no SpO2"),
        (frame(spo2=126), "no SpO2"),
    ],
)
def test_damage_costs_its_own_frame_only(broken: bytes, reason: str) -> None:
    driver = ContecV5()
    said = list(driver.on_bytes(RUN + broken + frame(pleth=9) + NEXT, 0))
    assert samples(said, "pleth") == [50] * RUN_FRAMES + [9]
    assert driver.counts == Counts(RUN_FRAMES + 1, 1, len(broken), {reason: 1})


def test_after_long_noise_a_run_is_asked_for_again() -> None:
    noise = b"\0" * (LOST_BYTES + 1)
    assert samples(heard(RUN + frame() + noise + frame(pleth=9) * 2 + NEXT), "pleth") == [50] * RUN_FRAMES
    again = heard(RUN + frame() + noise + frame(pleth=9) * RUN_FRAMES + NEXT)
    assert samples(again, "pleth") == [50] * RUN_FRAMES + [9] * RUN_FRAMES


def test_stored_records_are_no_frames() -> None:
    assert heard(b"\xf2\x80\x17" * 3 + b"\xf0\xc4\x5f" * 500) == []


def test_a_recorded_finger_in_five_bytes_a_sample() -> None:
    """What contec_v7 decodes of a CMS60C, written in this format, comes back whole."""
    story = capture.parse((CAPTURES / "contec_v7" / "cms60c-finger-in.cap").read_text(encoding="utf-8"))
    said = [out for _, out in capture.play(registry.driver(ContecV7.info.id)(), story.chunks())]
    waves = [samples(said, channel) for channel in ("spo2.signal", "pleth", "spo2.bar")]
    assert len(waves[1]) > 100
    data = b"".join(frame(*values) for values in zip(*waves, strict=True))
    back = heard(data + NEXT)
    assert [samples(back, channel) for channel in ("spo2.signal", "pleth", "spo2.bar")] == waves
