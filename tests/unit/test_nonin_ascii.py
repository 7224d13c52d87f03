"""nonin_ascii against the lines its manuals print."""

import pytest

from drivers.contract import Numeric, Output, Phase, Status, Why
from drivers.devices.nonin_ascii import LINE_LIMIT_BYTES, NoninAscii


def heard(*chunks: bytes) -> tuple[NoninAscii, list[Output]]:
    driver = NoninAscii()
    return driver, [output for chunk in chunks for output in driver.on_bytes(chunk, 0)]


def told(line: bytes) -> list[tuple[int | None, Why | None]]:
    return [(one.value, one.why) for one in heard(line)[1] if isinstance(one, Numeric)]  # type: ignore[misc]


@pytest.mark.parametrize(
    "line", [b"SPO2=097 HR=072", b"SPO2=097 HR=072 F", b"SPO2=097 HR=072*", b"14:05:33 SPO2=097 HR=072"]
)
def test_the_lines_of_the_manuals(line: bytes) -> None:
    assert told(line + b"\r\n") == [(97, None), (72, None)]


def test_dashes_are_no_values_and_a_zero_is_doubted() -> None:
    assert told(b"SPO2=--- HR=---\r\n") == [(None, Why.UNAVAILABLE)] * 2
    assert told(b"SPO2=000 HR=000\r\n") == [(0, Why.QUESTIONABLE)] * 2
    assert told(b"SPO2=097 HR=---\r\n") == [(97, None), (None, Why.UNAVAILABLE)]


def test_states_are_said_when_they_change() -> None:
    _, said = heard(b"SPO2=097 HR=072 F*\r\nSPO2=097 HR=072 F\r\nSPO2=097 HR=072\r\n")
    states = [(one.code, one.phase) for one in said if isinstance(one, Status)]
    assert states == [
        ("fast-responding", Phase.ON),
        ("event-marked", Phase.ON),
        ("event-marked", Phase.OFF),
        ("fast-responding", Phase.OFF),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"SPO2=97 HR=72",
        b"SPO2=101 HR=072",
        b"SPO2=097 HR=326",
        b"SPO2=097% HR=072",
        b"SPO2=097 BPM=072",
        b"x SPO2=097 HR=072",
        b"SPO2=097 HR=072 G",
    ],
)
def test_another_devices_line_is_refused(line: bytes) -> None:
    driver, said = heard(line + b"\r\n")
    assert not said
    assert driver.counts.frames == driver.counts.bad == 0, "nobody is in step yet"
    driver, _ = heard(b"SPO2=097 HR=072\r\n" + line + b"\r\n")
    assert driver.counts.bad == 1


def test_what_has_no_end_is_let_go() -> None:
    driver, _ = heard(b"SPO2=097 HR=072\r\n" + b"A" * 1000)
    assert driver.pending() <= LINE_LIMIT_BYTES
    assert driver.counts.reasons["too long"] > 0
