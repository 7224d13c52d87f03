"""Numbers, states, units, times and waves of the Philips protocol, against its definitions."""

import struct
from decimal import Decimal
from fractions import Fraction

import pytest

from drivers import vocabulary
from drivers.contract import Identity, Mark, Numeric, Scale, Wave, Why
from drivers.devices.philips_intellivue import PhilipsIntelliVue
from drivers.philips import codes
from drivers.philips.attributes import identity, moment, number, numeric, scale, text
from drivers.philips.waves import Objects, wave

KEY = (0, 0x02CA)
ECG = {
    codes.SAMPLE_SPEC: "0004100E3000",
    codes.SAMPLE_PERIOD: "00000020",
    codes.SCALE_RANGE: "FEFFF000FD009FFB00003FFF",
    codes.UNIT: "10B2",
    codes.FIXED_VALUES: "0003000C000480080003400100028004",
    codes.MEASURE_MODE: "0120",
}


def described(attributes: dict[int, str]) -> Objects:
    objects = Objects()
    for name, value in attributes.items():
        objects.learn(KEY, name, bytes.fromhex(value))
    return objects


def array(*samples: int, state: int = 0, physio: int = 0x0102, word: str = "H") -> bytes:
    data = struct.pack(f">{len(samples)}{word}", *samples)
    return struct.pack(">HHH", physio, state, len(data)) + data


def said(objects: Objects, data: bytes, ticks: int = 0) -> Wave:
    found = wave(objects.at(KEY), data, ticks)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (0xFD007D00, "32.000"),
        (0xFF000140, "32.0"),
        (0x01000140, "3.20E+3"),
        (0x02000020, "3.2E+3"),
        (0x0000003C, "60"),
        (0xFFFFFFF7, "-0.9"),
        (0xFFFFFFFF, "-0.1"),
        (0x00000000, "0"),
        (0x80000001, "1E-128"),
    ],
)
def test_float_type_keeps_every_digit(word: int, value: str) -> None:
    assert str(number(word)) == value


def test_vectors_of_the_guide_are_equal_numbers() -> None:
    assert number(0x01000140) == number(0x02000020) == Decimal(3200)


@pytest.mark.parametrize(
    ("word", "why"),
    [
        (0x007FFFFF, Why.UNAVAILABLE),
        (0x00800000, Why.UNAVAILABLE),
        (0xFF7FFFFF, Why.UNAVAILABLE),
        (0x007FFFFE, Why.OVER),
        (0x00800002, Why.UNDER),
    ],
)
def test_special_numbers_are_absent(word: int, why: Why) -> None:
    assert number(word) is why


@pytest.mark.parametrize(
    ("state", "value", "why"),
    [
        (0x0000, 60, None),
        (0x00E3, 60, None),  # validated, early, ongoing, in alarm, alarms off: the value stands
        (0x8000, None, Why.INVALID),
        (0xA001, None, Why.INVALID),
        (0x2000, None, Why.UNAVAILABLE),
        (0x4000, 60, Why.QUESTIONABLE),
        (0x0100, 60, Why.QUESTIONABLE),  # undefined, and valid only "if the first octet is all 0"
        (0x1000, 60, Why.CALIBRATING),
        (0x0800, 60, Why.TEST),
        (0x4400, 60, Why.DEMO),
    ],
)
def test_measurement_state(state: int, value: int | None, why: Why | None) -> None:
    item = struct.pack(">HHHI", 0x4182, state, 0x0AA0, 60)
    assert numeric(item, setting=False) == Numeric("ecg.hr", value if value is None else Decimal(value), "/min", why)


def test_a_setting_is_not_the_measurement_it_is_for() -> None:
    item = struct.pack(">HHHI", 0x4B48, 0, 0x17A0, 0xFF000172)
    assert numeric(item, setting=False).channel == "temp.unspecified"
    assert numeric(item, setting=True) == Numeric("philips_intellivue:setting-0x4B48", Decimal("37.0"), "Cel")
    assert described({codes.METRIC_SPEC: "000020000004428000000000"}).is_setting(KEY)
    assert not described({codes.METRIC_SPEC: "000020000001428000000000"}).is_setting(KEY)
    assert not Objects().is_setting(KEY)


def test_channels_by_physio_id_and_context() -> None:
    assert codes.channel_of(0x0302, "num") == "ecg.st_ii"
    assert codes.channel_of(0x4A05, "num") == "nibp.sys"
    assert codes.channel_of(0x0102, "wave") == "ecg.ii"
    assert codes.channel_of(0x0102, "num") == "mdc:131330"
    assert codes.channel_of(0x0301, "wave") == "mdc:131841"
    assert codes.channel_of(0xF06C, "num") == "philips_intellivue:0xF06C"


def test_units() -> None:
    assert [codes.unit_of(code) for code in (0x0AA0, 0x0220, 0x0F20, 0x0512, 0x10B2, 0x0200)] == [
        *("/min", "%", "mm[Hg]", "mm", "mV", "1"),
    ]
    assert codes.unit_of(0xF00A) == "mdc:323594"
    assert not set(codes.UCUM) & {code - codes.UNITS for code in vocabulary.units_by_mdc()}


def test_every_channel_of_the_vocabulary_may_be_said() -> None:
    keys = [code.key for code in vocabulary.codes().values() if code.mdc is not None and code.mdc >> 16 == 2]
    stems = tuple(name.rstrip("*") for name in PhilipsIntelliVue.info.emits if name.endswith("*"))
    ours = [key for key in keys if vocabulary.codes()[key].kind in ("num", "wave")]
    assert [key for key in ours if key not in PhilipsIntelliVue.info.emits and not key.startswith(stems)] == []


def test_moments() -> None:
    assert moment(bytes.fromhex("2021042211472600")) == "2021-04-22T11:47:26"
    assert moment(bytes.fromhex("2021023111472600")) == ""
    assert moment(b"\xff" * 8) == moment(bytes.fromhex("20210422")) == ""


def test_texts_and_identity() -> None:
    assert text(bytes.fromhex("000E00530070004F2082002000200000")) == "SpO\u2082"
    assert text(bytes.fromhex("0002D800")) == "\ufffd"
    production = "0002002000010008000A" + b"DE12345678".hex() + "000400580008" + b"L.01.20 ".hex()
    found = identity(
        {
            codes.MODEL: bytes.fromhex("00085068696C69707300") + bytes.fromhex("00064D3830303000"),
        }
    )
    assert found == Identity("Philips", "M8000")
    assert identity({codes.PRODUCTION: bytes.fromhex(production)}) == Identity("", "", "DE12345678", "L.01.20")


def test_scale_is_exact() -> None:
    attributes = {name: bytes.fromhex(value) for name, value in ECG.items()}
    assert scale(attributes, Fraction(250)) == Scale(
        Fraction(250), "mV", Fraction(1, 200), Fraction(8192), 14, "filter"
    )
    attributes[codes.SCALE_RANGE] = bytes.fromhex("007FFFFF007FFFFF00000FFF")
    assert scale(attributes, Fraction(250)) == Scale(Fraction(250), "mV", bits=14, filter="filter")


def test_samples_are_masked_and_their_bits_are_marks() -> None:
    found = said(described(ECG), array(0x2000, 0xA004, 0xA00D, 0x6001), ticks=64)
    assert found.samples == (0x2000, 0x2004, 0x200D, 0x2001)
    assert found.first == 2
    assert found.marks == (Mark(2, "saturated"), Mark(3, "defib"), Mark(1, "pace", 2))
    assert found.scale.rate == 250


@pytest.mark.parametrize(("state", "kind"), [(0x8000, "invalid"), (0x2000, "invalid"), (0x4000, "questionable")])
def test_the_state_of_an_array_marks_all_of_it(state: int, kind: str) -> None:
    assert said(described(ECG), array(1, 2, 3, state=state)).marks == (Mark(0, kind, 3),)


def test_a_wave_without_a_description_keeps_its_samples() -> None:
    found = said(Objects(), array(*range(0xF000, 0xF020)), ticks=4096)
    assert found == Wave("ecg.ii", tuple(range(0xF000, 0xF020)), Scale(Fraction(125), ""), 64)


def test_a_change_of_scale_is_heard_at_once() -> None:
    objects = described(ECG)
    before = said(objects, array(0x2000)).scale
    objects.learn(KEY, codes.MEASURE_MODE, bytes.fromhex("0180"))
    assert said(objects, array(0x2000)).scale == Scale(
        before.rate, "mV", before.gain, before.offset, 14, filter="diagnostic"
    )


def test_bytes_for_samples_of_eight_bits() -> None:
    objects = described({codes.SAMPLE_SPEC: "000408070000", codes.SAMPLE_PERIOD: "00000040"})
    found = said(objects, array(1, 0x7F, 0x81, word="B"))
    assert found.samples == (1, 127, 1)
    assert (found.scale.bits, found.scale.rate) == (7, 125)


@pytest.mark.parametrize(
    ("times", "firsts"),
    [
        ((1024, 1152, 1280), (32, 36, 40)),
        ((1024, 1168, 1264), (32, 36, 40)),  # 2 ms of jitter is no hole
        ((1024, 1280, 1408), (32, 40, 44)),  # one array of four is lost
        ((1024, 512, 640), (32, 16, 20)),  # the monitor started anew
        ((2**32 - 128, 0, 128), (2**27 - 4, 2**27, 2**27 + 4)),  # its clock went round
    ],
)
def test_samples_are_counted_by_the_clock_of_the_monitor(times: tuple[int, ...], firsts: tuple[int, ...]) -> None:
    objects = described(ECG)
    assert tuple(said(objects, array(0, 0, 0, 0), ticks).first for ticks in times) == firsts


@pytest.mark.parametrize(
    ("name", "value"),
    [(codes.SAMPLE_SPEC, "0004"), (codes.SCALE_RANGE, "00"), (codes.UNIT, ""), (codes.FIXED_VALUES, "00FF03FC0001")],
)
def test_a_description_that_cannot_be_true_is_refused(name: int, value: str) -> None:
    with pytest.raises(struct.error):
        Objects().learn(KEY, name, bytes.fromhex(value))


def test_objects_are_forgotten_beyond_the_limit() -> None:
    objects = Objects()
    for handle in range(3000):
        objects.learn((0, handle), codes.METRIC_SPEC, bytes.fromhex("000020000004428000000000"))
    assert objects.is_setting((0, 2999))
    assert not objects.is_setting((0, 0))
