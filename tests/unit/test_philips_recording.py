"""The driver on a real recording of an IntelliVue M8000, against its facts and its author's own decodes."""

import csv
import os
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from drivers.contract import Counts, DeviceTime, Identity, Numeric, Output, Scale, Wave, Why
from drivers.devices.philips_intellivue import PhilipsIntelliVue
from drivers.philips.frames import Reader
from drivers.philips.messages import Control, Created, Message, Other, Polled

FOLDER = "philips_intellivue_rs232"
CHUNK_BYTES = 700
NUMERICS = (
    *("nibp.sys", "nibp.dia", "nibp.map", "ecg.hr", "ecg.st_i", "ecg.st_ii", "ecg.st_iii", "ecg.st_avr", "ecg.st_avl"),
    *("ecg.st_avf", "mdc:131907", "mdc:131915", "mdc:148065", "spo2", "mdc:149538", "spo2.perf_rel"),
)


def corpus() -> Path:
    root = os.environ.get("WARDLINK_CORPUS")
    if not root or not (Path(root) / FOLDER).is_dir():
        pytest.skip(f"corpus {FOLDER} is missing: set WARDLINK_CORPUS")
    return Path(root) / FOLDER


@pytest.fixture(scope="module")
def raw() -> bytes:
    return (corpus() / "mpraw_frames_0000_2019.raw").read_bytes()


@pytest.fixture(scope="module")
def driver() -> PhilipsIntelliVue:
    return PhilipsIntelliVue()


@pytest.fixture(scope="module")
def said(raw: bytes, driver: PhilipsIntelliVue) -> list[Output]:
    pieces = range(0, len(raw), CHUNK_BYTES)
    return [output for at in pieces for output in driver.on_bytes(raw[at : at + CHUNK_BYTES], at * 90_000)]


def waves(said: list[Output], channel: str) -> list[Wave]:
    return [output for output in said if isinstance(output, Wave) and output.channel == channel]


def sets(said: list[Output]) -> list[list[Numeric]]:
    """The numerics of each set of the monitor, in its order."""
    found = [output for output in said if isinstance(output, Numeric)]
    return [found[at : at + len(NUMERICS)] for at in range(0, len(found), len(NUMERICS))]


def test_every_frame_is_good(raw: bytes, said: list[Output], driver: PhilipsIntelliVue) -> None:
    assert len(raw) == 1_147_566
    assert said
    assert driver.counts == Counts(frames=2020)
    assert driver.pending() == 0


def test_the_messages_are_those_counted_by_hand(raw: bytes) -> None:
    messages: list[Message] = list(Reader(Counts()).feed(raw))
    kinds = Counter(type(message) for message in messages)
    assert kinds == {Control: 1, Created: 1, Other: 2, Polled: 2016}
    results = [message for message in messages if isinstance(message, Polled)]
    assert Counter(result.polled for result in results) == {6: 759 + 253, 9: 1004}
    assert sum(result.polled == 6 and not result.observations for result in results) == 253


def test_the_author_read_the_same_numerics(said: list[Output]) -> None:
    """Rows of this recording come first, from its second set on; the author wrote absent as 0.0, in binary."""
    rows = list(csv.reader((corpus() / "JVSCapture_NumericData.csv").open()))
    ours = [row for row in rows if int(row[1]) < 1 << 32]
    times = [output.ticks for output in said if isinstance(output, DeviceTime)]
    assert [int(row[1]) for row in ours] == [1971200 + 8192 * at for at in range(7)]
    assert len(ours) == 7
    assert set(map(int, (row[1] for row in ours))) <= set(times)
    for row, found in zip(ours, sets(said)[: len(ours)], strict=True):
        assert tuple(output.channel for output in found) == NUMERICS
        assert row[3:] == [str(as_the_author_wrote(output.value)) for output in found]


def as_the_author_wrote(value: int | Decimal | None) -> float:
    if value is None:
        return 0.0
    assert isinstance(value, Decimal)
    sign, digits, exponent = value.as_tuple()
    mantissa = int("".join(map(str, digits))) * (-1 if sign else 1)
    assert isinstance(exponent, int)
    return mantissa * 10.0**exponent


def test_the_author_read_the_same_samples(said: list[Output]) -> None:
    """The author's wave file holds the high and the low byte of each sample or'ed together; its times go 4 ms a row."""
    rows = list(csv.reader((corpus() / "JVSCapture_ECG_II_first1000.csv").open()))
    found = waves(said, "ecg.ii")[:16]
    samples = [sample for wave in found for sample in wave.samples]
    assert [float(row[4]) for row in rows] == [float(sample >> 8 | sample & 0xFF) for sample in samples[: len(rows)]]
    numbers = [number for wave in found if wave.first is not None for number in range(wave.first, wave.first + 64)]
    assert [int(row[1]) for row in rows] == [number // 64 * 64 * 32 for number in numbers[: len(rows)]]
    assert all(int(rows[at][3]) - int(rows[at - at % 64][3]) == at % 64 * 4 for at in range(len(rows)))


def test_numerics_by_hand(said: list[Output]) -> None:
    assert len(sets(said)) == 252
    for found in sets(said):
        told = {output.channel: output for output in found}
        assert told["ecg.hr"] == Numeric("ecg.hr", Decimal(60), "/min")
        assert (told["ecg.st_i"].value in (Decimal("-0.9"), Decimal("-0.8")), told["ecg.st_i"].unit) == (True, "mm")
        assert told["nibp.sys"] == Numeric("nibp.sys", None, "mm[Hg]", Why.UNAVAILABLE)
        assert told["spo2"] == Numeric("spo2", None, "%", Why.INVALID)


def test_waves_by_hand(said: list[Output]) -> None:
    ecg = Scale(Fraction(250), "mV", Fraction(1, 200), Fraction(8192), 14, "filter")
    for channel, scale, size in [
        ("ecg.ii", ecg, 64),
        ("ecg.avr", ecg, 64),
        ("mdc:131395", ecg, 64),
        ("pleth", Scale(Fraction(125), "1", bits=12), 32),
    ]:
        found = waves(said, channel)
        assert {wave.scale for wave in found} == {scale}
        assert {len(wave.samples) for wave in found} == {size}
        assert [wave.first for wave in found] == [1961984 * size // 2048 + at * size for at in range(1003)]
        assert not any(wave.marks for wave in found)
    assert {sample for wave in waves(said, "pleth") for sample in wave.samples} == {2048}


def test_the_monitor_says_who_it_is_and_when(said: list[Output]) -> None:
    assert [output for output in said if isinstance(output, Identity)] == [
        Identity("Philips", "M8000"),
    ]
    times = [output for output in said if isinstance(output, DeviceTime)]
    assert times[0] == DeviceTime("2021-04-22T11:47:26", 1950208, Fraction(8000))
    assert {time.iso for time in times[1:]} == {""}
