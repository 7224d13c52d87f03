"""nonin_numeric against frames made by the rules of formats 1 and 8."""

import random
from collections.abc import Iterable

import pytest

from drivers.contract import Counts, Numeric, Output, Phase, Status, Why
from drivers.devices.nonin_numeric import NoninNumeric

SECOND_NS = 1_000_000_000
PROOF = 5  # the first frame that is told is the one behind them


def one(spo2: int = 97, hr: int = 72, status: int = 0, more: int | None = None) -> bytes:
    """A frame of format 8 where `more` is given, else of format 1."""
    frame = bytes((0x80 | status | hr >> 7, hr & 0x7F, spo2))
    return frame if more is None else frame + bytes((more,))


def heard(frames: Iterable[bytes], every_ns: int = SECOND_NS) -> tuple[list[Output], NoninNumeric]:
    driver = NoninNumeric()
    return [out for at, data in enumerate(frames) for out in driver.on_bytes(data, at * every_ns)], driver


def after(*frames: bytes) -> list[Output]:
    """What is said of these frames once the line has proved itself."""
    size = len(frames[0])
    said, driver = heard([one(more=None if size == 3 else 0)] * PROOF + list(frames))
    assert driver.counts.frames == len(frames) + 1
    return said[2:]


def spo2s(said: Iterable[Output]) -> list[int | None]:
    return [
        int(n.value) if n.value is not None else None for n in said if isinstance(n, Numeric) and n.channel == "spo2"
    ]


@pytest.mark.parametrize("more", [None, 0])
def test_four_frames_prove_the_line_and_its_format(more: int | None) -> None:
    said, driver = heard([one(90 + at, more=more) for at in range(8)])
    assert spo2s(said) == [94, 95, 96, 97]
    size = 3 if more is None else 4
    assert driver.counts == Counts(frames=4, skipped=4 * size)
    assert driver.pending() == 0


@pytest.mark.parametrize(("hr", "value"), [(511, None), (510, 510), (127, 127), (128, 128), (0, 0)])
def test_pulse_rate_at_its_edges(hr: int, value: int | None) -> None:
    told = [n for n in after(one(hr=hr)) if isinstance(n, Numeric) and n.channel == "spo2.pr"]
    assert told == [Numeric("spo2.pr", value, "/min", None if value is not None else Why.UNAVAILABLE)]


@pytest.mark.parametrize(
    ("status", "more", "why"),
    [
        (0, 0, Why.UNAVAILABLE),
        (0x20, 0, Why.LOW_SIGNAL),
        (0x20, 0x08, Why.SENSOR_OFF),
        (0x60, 0x08, Why.NO_SENSOR),
    ],
)
def test_why_there_is_no_number(status: int, more: int, why: Why) -> None:
    told = {(n.value, n.why) for n in after(one(127, 511, status, more)) if isinstance(n, Numeric)}
    assert told == {(None, why)}


@pytest.mark.parametrize(("status", "more"), [(0x20, 0), (0, 0x08)])
def test_a_number_out_of_track_or_under_alarm_is_doubted(status: int, more: int) -> None:
    assert Numeric("spo2", 97, "%", Why.QUESTIONABLE) in after(one(status=status, more=more))


@pytest.mark.parametrize(
    ("on", "code"),
    [
        (one(status=0x20, more=0), "out-of-track"),
        (one(status=0x10, more=0), "low-perfusion"),
        (one(status=0x08, more=0), "marginal-perfusion"),
        (one(status=0x04, more=0), "artifact"),
        (one(127, 511, 0x40, more=0), "sensor-disconnected"),
        (one(more=0x20), "smart-point"),
        (one(more=0x08), "sensor-alarm"),
        (one(more=0x01), "low-battery"),
    ],
)
def test_every_state_goes_on_and_off_once(on: bytes, code: str) -> None:
    said = after(on, on, one(more=0))
    assert [s for s in said if isinstance(s, Status)] == [Status(code, Phase.ON), Status(code, Phase.OFF)]


@pytest.mark.parametrize("frame", [one(status=0x40, more=0), one(more=0x56)])
def test_undefined_bits_say_nothing(frame: bytes) -> None:
    assert after(frame) == [Numeric("spo2", 97, "%"), Numeric("spo2.pr", 72, "/min")]


@pytest.mark.parametrize("bad", [one(101), one()[:2], one()[1:], one(more=0), b"\x80"])
def test_a_fault_ends_the_trust_and_the_line_proves_itself_anew(bad: bytes) -> None:
    said, driver = heard([*[one()] * 6, bad, *[one(98)] * 6])
    before = 3 if bad == one(more=0) else 2  # its first three bytes are a good frame of format 1
    assert spo2s(said)[:before] == [97] * before
    assert spo2s(said)[before:] in ([98], [98, 98])
    assert driver.counts.bad == 1


def test_after_a_silence_the_line_proves_itself_anew() -> None:
    said, _ = heard([*[one()] * 6, b"", b"", b"", b"", *[one(98)] * 6])
    assert spo2s(said) == [97, 97, 98, 98]


def test_frames_may_come_late_and_together_once_the_line_is_known() -> None:
    said, _ = heard([*[one()] * 5, b"", one(95) + one(94), one(93)[:1], one(93)[1:]])
    assert spo2s(said) == [97, 95, 94, 93]


@pytest.mark.parametrize("frame", [one(), one(more=0), b"\x80\x20\x05\x41\x61", b"\x01\x80\x40\x00\xc1"])
def test_what_comes_faster_is_not_ours(frame: bytes) -> None:
    said, driver = heard([frame] * 600, every_ns=SECOND_NS // 60)
    assert said == []
    assert driver.counts.frames == 0
    assert driver.pending() <= 5


def test_five_bytes_a_second_are_not_ours() -> None:
    assert heard([b"\x80\x20\x05\x41\x61"] * 60)[0] == []


def test_noise_is_not_claimed() -> None:
    rng = random.Random(3)
    assert heard([rng.randbytes(64) for _ in range(2000)], every_ns=SECOND_NS // 15)[0] == []
