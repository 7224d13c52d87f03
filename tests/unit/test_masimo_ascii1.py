"""masimo_ascii1 against real lines and against lines made by the rules."""

import json
import os
import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.contract import Alarm, Counts, DeviceTime, Identity, Numeric, Output, Phase, Status, Why
from drivers.devices import masimo_ascii1
from drivers.devices.masimo_ascii1 import MasimoAscii1

RADICAL_7 = (
    "03/17/16 19:19:36 SN=---------- SPO2=098% BPM=123 PI=00.55 SPCO=--% SPMET=--.-% SPHB=--.- SPOC=-- RESVD=--- "
    "DESAT=-- PIDELTA=+-- PVI=--- ALARM=000000 EXC=0000C00 EXC1=00000000"
)
RADICAL = "09/15/10 15:10:29 SPO2=097% BPM=064 PI=11.82% ALARM=20 EXC=800"


def corpus(folder: str) -> Path:
    root = os.environ.get("WARDLINK_CORPUS")
    if not root or not (Path(root) / folder).is_dir():
        pytest.skip(f"corpus {folder} is missing: set WARDLINK_CORPUS")
    return Path(root) / folder


def line(spo2: str = "097%", bpm: str = "080", pi: str = "04.96%", alarm: str = "0000", exc: str = "000800") -> str:
    return f"02/24/18 04:48:53 SN=0000000000 SPO2={spo2} BPM={bpm} PI={pi} SPCO=--.-% ALARM={alarm} EXC={exc}"


def heard(*lines: str) -> tuple[list[Output], MasimoAscii1]:
    driver = MasimoAscii1()
    return list(driver.on_bytes("".join(f"{text}\r\n" for text in lines).encode("ascii"), 0)), driver


def numerics(said: Iterable[Output]) -> dict[str, Numeric]:
    """The last numeric of each channel."""
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def test_real_lines_of_a_rad8() -> None:
    text = (corpus("masimo_rad8_ascii1") / "vectors.json").read_text(encoding="utf-8")
    lines = [entry["line"] for entry in json.loads(text)]
    said, driver = heard(*lines)
    values = [(n.channel, str(n.value)) for n in said if isinstance(n, Numeric)]
    expected: list[tuple[str, str]] = []
    for one in lines:
        spo2, bpm, pi = re.findall(r"(?:SPO2|BPM| PI)=0*([\d.]+)", one)
        expected += [("spo2", spo2), ("spo2.pr", bpm), ("spo2.perf_index", pi)]
    assert values == expected
    assert driver.counts == Counts(frames=len(lines))


def test_radical_7_has_more_fields_and_wider_words() -> None:
    said, driver = heard(RADICAL_7)
    assert driver.counts == Counts(frames=1)
    assert said[0] == DeviceTime("2016-03-17T19:19:36")
    assert numerics(said) == {
        "spo2": Numeric("spo2", 98, "%", Why.LOW_SIGNAL),
        "spo2.pr": Numeric("spo2.pr", 123, "/min", Why.LOW_SIGNAL),
        "spo2.perf_index": Numeric("spo2.perf_index", Decimal("0.55"), "%", Why.LOW_SIGNAL),
    }
    assert [s for s in said if isinstance(s, Status)] == [
        Status("low-signal-iq", Phase.ON),
        Status("masimo-set", Phase.ON),
    ]
    assert not [s for s in said if isinstance(s, Identity)], "dashes are no serial number"


def test_radical_has_no_serial_number() -> None:
    said, driver = heard(RADICAL)
    assert driver.counts == Counts(frames=1)
    assert numerics(said)["spo2"] == Numeric("spo2", 97, "%")
    assert Status("alarm-silenced", Phase.ON) in said


@pytest.mark.parametrize(
    ("exc", "why"),
    [("000001", Why.NO_SENSOR), ("000002", Why.INVALID), ("000824", Why.SENSOR_OFF), ("001000", Why.NO_SENSOR)],
)
def test_a_held_number_without_a_patient_is_no_reading(exc: str, why: Why) -> None:
    told = numerics(heard(line(exc=exc))[0])
    assert {(n.value, n.why) for n in told.values()} == {(None, why)}


@pytest.mark.parametrize(("exc", "why"), [("000C08", Why.SEARCHING), ("000C00", Why.LOW_SIGNAL), ("000804", None)])
def test_a_doubted_number_stays_and_says_so(exc: str, why: Why | None) -> None:
    assert numerics(heard(line(exc=exc))[0])["spo2"] == Numeric("spo2", 97, "%", why)


@pytest.mark.parametrize(("spo2", "bpm"), [("---%", "---"), ("000%", "000"), ("---", "---%")])
def test_dashes_and_000_are_absent(spo2: str, bpm: str) -> None:
    told = numerics(heard(line(spo2, bpm, "--.--%"))[0])
    assert {(n.value, n.why) for n in told.values()} == {(None, Why.UNAVAILABLE)}


def test_zero_perfusion_is_a_reading_and_digits_stay() -> None:
    assert str(numerics(heard(line(pi="00.00%"))[0])["spo2.perf_index"].value) == "0.00"
    assert numerics(heard(line(pi="0+.00%"))[0])["spo2.perf_index"].why is Why.INVALID


def test_every_named_alarm_bit_goes_on_and_off_once() -> None:
    for bit, (code, channel) in masimo_ascii1.ALARMS.items():
        said, _ = heard(line(), line(alarm=f"{bit:04X}"), line(alarm=f"{bit:04X}"), line())
        alarms = [(a.code, a.phase, a.channel) for a in said if isinstance(a, Alarm)]
        assert alarms == [(code, Phase.ON, channel), (code, Phase.OFF, channel)]


def test_every_named_state_goes_on_and_off_once() -> None:
    for (word, bit), code in masimo_ascii1.STATES.items():
        bits = line(exc=f"{bit:06X}") if word == "EXC" else line(alarm=f"{bit:04X}", exc="000000")
        said, _ = heard(line(exc="000000"), bits, bits, line(exc="000000"))
        assert [(s.code, s.phase) for s in said if isinstance(s, Status)] == [(code, Phase.ON), (code, Phase.OFF)]


def test_bits_nobody_has_named_are_told_as_they_are() -> None:
    said, _ = heard(line(alarm="8080", exc="800A00"))
    codes = [s.code for s in said if isinstance(s, Status)]
    assert codes == ["ALARM:80", "ALARM:8000", "EXC:200", "masimo-set", "EXC:800000"]


def test_rainbow_values_are_told_once_there_has_been_one() -> None:
    with_spco = line().replace("SPCO=--.-%", "SPCO=01.0%")
    said, _ = heard(line(), with_spco, line(), with_spco.replace("EXC=000", "EXC=200"))
    assert [n for n in said if isinstance(n, Numeric) and n.channel == "masimo_ascii1:SPCO"] == [
        Numeric("masimo_ascii1:SPCO", Decimal("1.0"), "%"),
        Numeric("masimo_ascii1:SPCO", None, "%", Why.UNAVAILABLE),
        Numeric("masimo_ascii1:SPCO", Decimal("1.0"), "%", Why.QUESTIONABLE),
    ]


def test_a_field_without_a_known_unit_is_text() -> None:
    said, _ = heard(line() + " SPHB=12.4", line() + " SPHB=12.4", line() + " SPHB=--.-")
    assert [s for s in said if isinstance(s, Status) and s.code == "SPHB"] == [
        Status("SPHB", Phase.ON, "12.4"),
        Status("SPHB", Phase.OFF),
    ]


def test_the_serial_number_is_told_once() -> None:
    said, _ = heard(line(), line(), line().replace("SN=0000000000", "SN=0123456789"))
    assert [s.serial for s in said if isinstance(s, Identity)] == ["0000000000", "0123456789"]


@pytest.mark.parametrize(
    "bad",
    [
        line("101%"),
        line(bpm="241"),
        line("9q7%"),
        line("97.5%"),
        line(exc="00080G"),
        line() + " BPM=081",
        line().replace(" BPM=080", ""),
        line().replace("02/24", "13/24"),
        line().replace("02/24/18 ", "02/24/1 "),
        line()[10:],
        "SPO2=097 HR=080",
        "07-Jan-04 11:24:50   100     105      88",
        "02/24/18 04:48:53 SpO2=097 PR=069 PI=04.69 EXC=800:SET",
    ],
)
def test_what_is_no_line_of_ours_says_nothing(bad: str) -> None:
    said, driver = heard(bad)
    assert said == []
    assert driver.counts.frames == driver.counts.bad == 0
    said, driver = heard(line(), bad, line("096%"))
    assert [n.value for n in said if isinstance(n, Numeric) and n.channel == "spo2"] == [97, 96]
    assert driver.counts.frames == 2
    assert driver.counts.reasons == {"unknown line": 1}


def test_a_line_without_an_end_is_dropped_in_bounded_memory() -> None:
    driver = MasimoAscii1()
    for _ in range(100):
        assert not list(driver.on_bytes(b"02/24/18 " * 10, 0))
        assert driver.pending() < masimo_ascii1.LINE_LIMIT_BYTES
    said = list(driver.on_bytes(f"\r\n{line()}\r\n".encode("ascii"), 0))
    assert numerics(said)["spo2"].value == 97
