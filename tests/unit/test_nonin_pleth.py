"""nonin_pleth against frames made by the rules of formats 2 and 7."""

import random
from collections.abc import Iterable

import pytest

from drivers.contract import Counts, DeviceTime, Identity, Mark, Numeric, Output, Phase, Status, Wave, Why
from drivers.devices.nonin_pleth import FRAMES, NoninPleth

SECOND_NS = 1_000_000_000
SPO2_PLACES, HR_PLACES = (2, 8, 9, 10, 15, 16), (0, 13, 19, 21)


def frame(kind: int, status: int, pleth: int, value: int) -> bytes:
    body = bytes((1, 0x80 | status, pleth, value)) if kind == 2 else bytes((0x80 | status, *divmod(pleth, 256), value))
    return body + bytes((sum(body) & 0xFF,))


def packet(kind: int = 2, spo2: int = 97, hr: int = 72, status: int = 0, **at: int) -> list[bytes]:
    """25 frames; `at` sets floats by their number from 1: f8=1."""
    floats = [0] * FRAMES
    for place in SPO2_PLACES:
        floats[place] = spo2
    for place in HR_PLACES:
        floats[place], floats[place + 1] = divmod(hr, 128)
    for name, value in at.items():
        floats[int(name[1:]) - 1] = value
    return [frame(kind, status | (number == 0), 40 + number, value) for number, value in enumerate(floats)]


def heard(*chunks: Iterable[bytes]) -> tuple[list[Output], NoninPleth]:
    driver = NoninPleth()
    return [output for chunk in chunks for output in driver.on_bytes(b"".join(chunk), 0)], driver


def numerics(said: Iterable[Output]) -> dict[str, Numeric]:
    """The last numeric of each channel."""
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def waves(said: Iterable[Output]) -> list[tuple[int | None, int]]:
    return [(output.first, len(output.samples)) for output in said if isinstance(output, Wave)]


def test_frames_of_the_oem_iii_map() -> None:
    """The floats that another project's test of the OEM III expects."""
    said, driver = heard(packet(f4=0x30))
    told = numerics(said)
    assert {told[name].value for name in ("spo2", "nonin_pleth:SpO2-fast", "nonin_pleth:SpO2-beat")} == {97}
    assert told["spo2.pr"] == Numeric("spo2.pr", 72, "/min")
    assert told["nonin_pleth:E-HR"].value == 72
    assert told["nonin_pleth:E-SpO2"].value == 97
    assert Identity(firmware="48") in said
    assert driver.counts == Counts(frames=FRAMES)


def test_every_number_has_its_own_place() -> None:
    told = numerics(heard(packet(f3=91, f10=92, f11=93, f16=94, f1=1, f2=2, f14=0, f15=66))[0])
    values = [told[name].value for name in ("spo2", "nonin_pleth:SpO2-fast", "nonin_pleth:SpO2-beat")]
    assert [*values, told["nonin_pleth:E-SpO2"].value] == [91, 92, 93, 94]
    assert (told["spo2.pr"].value, told["nonin_pleth:E-HR"].value) == (130, 66)


@pytest.mark.parametrize(("kind", "bits", "sample"), [(2, 8, 200), (7, 16, 0x1234)])
def test_both_formats_are_learned(kind: int, bits: int, sample: int) -> None:
    frames = packet(kind)
    frames[1] = frame(kind, 0, sample, 72)
    said, driver = heard(frames)
    (wave,) = [one for one in said if isinstance(one, Wave)]
    assert (wave.scale.bits, wave.scale.rate, wave.samples[1]) == (bits, 75, sample)
    assert driver.counts == Counts(frames=FRAMES)


def test_a_change_of_format_costs_one_packet() -> None:
    said, _ = heard(packet(2), packet(7), packet(7), packet(2), packet(2))
    assert [(wave.scale.bits, len(wave.samples)) for wave in said if isinstance(wave, Wave)] == [
        (8, 25),
        (16, 25),
        (8, 25),
    ]


@pytest.mark.parametrize(
    ("spo2", "value", "why"), [(127, None, Why.UNAVAILABLE), (101, None, Why.INVALID), (0, 0, None)]
)
def test_spo2_at_its_edges(spo2: int, value: int | None, why: Why | None) -> None:
    assert numerics(heard(packet(spo2=spo2))[0])["spo2"] == Numeric("spo2", value, "%", why)


@pytest.mark.parametrize(("hr", "value"), [(511, None), (510, 510), (0, 0), (127, 127), (128, 128)])
def test_pulse_rate_at_its_edges(hr: int, value: int | None) -> None:
    assert numerics(heard(packet(hr=hr))[0])["spo2.pr"].value == value


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (0, Why.UNAVAILABLE),
        (0x08, Why.SENSOR_OFF),
        (0x10, Why.LOW_SIGNAL),
        (0x40, Why.NO_SENSOR),
        (0x58, Why.NO_SENSOR),
    ],
)
def test_why_there_is_no_number(status: int, why: Why) -> None:
    told = numerics(heard(packet(spo2=127, hr=511, status=status))[0])
    assert {(n.value, n.why) for n in told.values()} == {(None, why)}


def test_a_number_under_an_alarm_is_doubted_and_the_reserved_bit_is_not() -> None:
    assert numerics(heard(packet(status=0x08))[0])["spo2"] == Numeric("spo2", 97, "%", Why.QUESTIONABLE)
    said, _ = heard(packet(status=0x40))
    assert numerics(said)["spo2"] == Numeric("spo2", 97, "%")
    assert not [one for one in said if isinstance(one, Status)]


@pytest.mark.parametrize(
    ("on", "code"),
    [
        (packet(status=0x08), "sensor-alarm"),
        (packet(status=0x10), "out-of-track"),
        (packet(spo2=127, status=0x40), "sensor-disconnected"),
        (packet(f8=0x01), "low-battery"),
        (packet(f8=0x20), "smart-point"),
    ],
)
def test_every_state_goes_on_and_off_once(on: list[bytes], code: str) -> None:
    said, _ = heard(packet(), on, on, packet())
    assert [one for one in said if isinstance(one, Status)] == [Status(code, Phase.ON), Status(code, Phase.OFF)]


def test_a_pulse_is_one_beat_and_its_colour_is_told_when_it_changes() -> None:
    def pulse(bits: int) -> list[bytes]:
        return [frame(2, (number == 0) | (bits if 3 <= number < 15 else 0), 50, 0) for number in range(FRAMES)]

    said, _ = heard(pulse(0x02), pulse(0x02), pulse(0x06), pulse(0x04), pulse(0x02)[:8], pulse(0x02)[8:])
    marks = [wave.marks for wave in said if isinstance(wave, Wave)]
    assert marks == [(Mark(3, "beat"),)] * 5 + [()]
    assert [s.text for s in said if isinstance(s, Status)] == ["green", "yellow", "red", "green"]


def test_numbers_come_on_change_and_each_three_packets() -> None:
    said, _ = heard(*[packet()] * 4, *[packet(spo2=98)] * 4)
    assert [n.value for n in said if isinstance(n, Numeric) and n.channel == "spo2"] == [97, 97, 98, 98]


def test_the_timer_is_told_once_a_second_where_it_runs() -> None:
    said, _ = heard(*[packet(7, f6=n >> 7, f7=n & 0x7F) for n in range(125, 133)])
    assert [(t.ticks, t.hertz) for t in said if isinstance(t, DeviceTime)] == [(128, 3), (131, 3)]
    assert not [t for t in heard(*[packet()] * 8)[0] if isinstance(t, DeviceTime)]


def test_a_flipped_bit_costs_one_sample_and_the_numbers_of_its_packet() -> None:
    frames = packet(spo2=90)
    frames[6] = bytes((*frames[6][:2], frames[6][2] ^ 4, *frames[6][3:]))
    said, driver = heard(packet(), frames, packet(spo2=91))
    assert waves(said) == [(0, 25), (25, 6), (32, 18), (50, 25)]
    assert [n.value for n in said if isinstance(n, Numeric) and n.channel == "spo2"] == [97, 91]
    assert driver.counts == Counts(frames=74, bad=1, skipped=5, reasons={"checksum": 1})


def test_a_lost_byte_costs_the_rest_of_its_packet() -> None:
    broken = b"".join(packet(spo2=90))
    said, driver = heard(packet(), [broken[:52] + broken[53:]], packet(spo2=91))
    assert waves(said) == [(0, 25), (25, 10), (50, 25)]
    assert [n.value for n in said if isinstance(n, Numeric) and n.channel == "spo2"] == [97, 91]
    assert driver.counts.reasons == {"out of step": 1}


def test_whole_frames_that_are_lost_are_seen_at_the_next_sync() -> None:
    frames = packet(spo2=90)
    said, driver = heard(packet(), frames[:5] + frames[9:], packet(spo2=91))
    assert waves(said) == [(0, 25), (25, 21), (50, 25)]
    assert [n.value for n in said if isinstance(n, Numeric) and n.channel == "spo2"] == [97, 91]
    assert driver.counts.bad == 0
    said, _ = heard(packet(), packet()[20:] + packet(spo2=90)[3:], packet(spo2=91))
    assert [n.value for n in said if isinstance(n, Numeric) and n.channel == "spo2"] == [97, 91]


def test_many_lost_packets_are_counted_by_their_bytes() -> None:
    broken = [bytes((*one[:4], one[4] ^ 1)) for one in packet() * 4]
    said, _ = heard(packet(), broken, packet())
    assert waves(said) == [(0, 25), (125, 25)]


def test_after_a_silence_the_samples_do_not_go_on() -> None:
    driver = NoninPleth()
    said = [out for at in (0, 1, 5) for out in driver.on_bytes(b"".join(packet()), at * SECOND_NS)]
    assert waves(said) == [(0, 25), (25, 25), (75, 25)]


def test_four_good_frames_are_no_evidence() -> None:
    said, driver = heard(packet()[:4], [b"\x00" * 40])
    assert said == []
    assert driver.counts == Counts(skipped=60)


def test_frames_without_sync_or_always_with_it_are_not_ours() -> None:
    for status in (0, 1):
        said, driver = heard([frame(7, status, 100, 3)] * 500)
        assert said == []
        assert driver.counts.frames == 0


def test_five_byte_oximeters_of_others_are_not_claimed() -> None:
    """Contec V5.1, BCI, Berry: bit 7 in the first byte of five, 60 a second, no sum."""
    rng = random.Random(7)
    stream = b"".join(
        bytes((0x80 | rng.randrange(16), rng.randrange(128), rng.randrange(16), 65, 97)) for _ in range(6000)
    )
    said, _ = heard([stream])
    assert said == []


def test_noise_is_not_claimed() -> None:
    assert heard([random.Random(1).randbytes(200_000)])[0] == []
