"""bench.decode_speed: what is taken for a device's fastest rate, and what the figures are called."""

import pytest

from bench.decode_speed import (
    OF_OTHERS,
    OF_RADIO,
    RATES,
    Chunk,
    Speed,
    captured_rate,
    decoded_rate,
    figures,
    line_rate,
    pieces,
    protocol_rate,
)
from drivers import capture, registry
from drivers.contract import Ble, Serial, Tcp

SECOND_NS = 1_000_000_000
HALF = Speed("slow", 100.0, 1.0, "a test")


def test_a_line_carries_its_start_and_stop_bits_too() -> None:
    assert line_rate(Serial(9600)) == 960
    assert line_rate(Serial(115200, parity="E")) == pytest.approx(10473, abs=1)


def test_the_protocol_is_known_or_the_line_is_full() -> None:
    assert protocol_rate("contec_v7", ()) == RATES["contec_v7"]
    assert protocol_rate("another", (Ble("180d"), Serial(9600), Serial(19200)))[0] == 1920
    assert protocol_rate("another", (Ble("180d"),)) == OF_RADIO
    assert protocol_rate("another", (Tcp(4601),)) == OF_OTHERS


def test_every_rate_is_of_a_driver() -> None:
    assert RATES.keys() <= set(registry.ids())


def test_a_capture_is_as_fast_as_its_densest_ten_seconds() -> None:
    slow = [(at * SECOND_NS, b"..", "") for at in range(100)]
    assert captured_rate(slow) == 2
    assert captured_rate(sorted([*slow, (50 * SECOND_NS, b"." * 80, "")])) == 10
    assert captured_rate([(0, b"." * 80, "")]) == 80
    assert captured_rate([]) == 0


def test_a_notification_stays_whole() -> None:
    chunks: list[Chunk] = [(0, b"abcde", ""), (1, b"abcde", "2a5f")]
    assert [data for _, data, _ in pieces(chunks, 2)] == [b"ab", b"cd", b"e", b"abcde"]


def test_the_least_is_a_figure_and_so_are_those_below() -> None:
    found = figures([HALF, Speed("fast", 1000.0, 2.0, "a test")])
    assert found["decode_speed.slow"].value == 100
    assert found["decode_speed.least"].value == 100
    assert found["decode_speed.below_200"].value == 1


def test_a_driver_is_heard_and_timed() -> None:
    header = "\n".join(f"{name}: x" for name in capture.HEADER)
    text = f"{header}\n\n0.000 < 816A60\n1.000 < 816A60\n1.500 = x\n"
    story = capture.parse(text)
    assert decoded_rate(registry.driver("nonin_numeric"), [(story, list(story.notified()))]) > 1000
