"""ivy_450c against messages made by the rules of ANSAR-B and against the real recording."""

import os
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from drivers.contract import Alarm, Counts, Mark, Numeric, Output, Phase, Status, Wave, Why
from drivers.devices.ivy_450c import Ivy450C

WAVES = bytes([120] * 200 + [10] * 50 + [117] * 50 + [73, 111] * 25 + [0xFB] * 50)
LINES = "HR=1;80;ECG-II-DIAG;\rSPO2=1;100;PR=80 ;\rP2=3;;;;NO TRANSDUCER;\r"


def corpus(folder: str) -> Path:
    root = os.environ.get("WARDLINK_CORPUS")
    if not root or not (Path(root) / folder).is_dir():
        pytest.skip(f"corpus {folder} is missing: set WARDLINK_CORPUS")
    return Path(root) / folder


def message(lines: str = LINES, waves: bytes = WAVES) -> bytes:
    return b"\xffANSAR-B " + waves + lines.encode("ascii") + b"\xfe"


def heard(data: bytes) -> tuple[list[Output], Ivy450C]:
    driver = Ivy450C()
    return list(driver.on_bytes(data, 0)), driver


def by_channel(said: Iterable[Output]) -> dict[str, Wave]:
    found = [output for output in said if isinstance(output, Wave)]
    assert len({(w.channel, w.scale) for w in found}) == len(found), "two waves of one stream in one chunk"
    return {wave.channel: wave for wave in found}


def numerics(said: Iterable[Output]) -> dict[str, Numeric]:
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def test_waves_go_to_their_channels_with_the_lead_of_the_label() -> None:
    waves = by_channel(heard(message())[0])
    assert {channel: len(wave.samples) for channel, wave in waves.items()} == {
        "ecg.ii": 200,
        "resp.impedance": 50,
        "pleth": 50,
        "ibp.p1": 50,
        "ibp.p2": 50,
    }
    ecg = waves["ecg.ii"]
    assert (ecg.scale.rate, ecg.scale.unit, ecg.scale.filter) == (200, "mV", "DIAG")
    assert (ecg.samples[0] - ecg.scale.offset) * ecg.scale.gain == Fraction(2, 5)
    assert waves["ibp.p1"].samples[:2] == (73, 111)
    assert waves["ibp.p2"].marks == (Mark(0, "off", 50),)


@pytest.mark.parametrize(
    ("label", "channel", "mode"),
    [
        ("ECG-I-MON", "ecg.i", "MON"),
        ("ECG-III-DIAG", "ecg.iii", "DIAG"),
        ("ECG-AVF", "ecg.avf", ""),
        ("ECG-V", "ecg.unspecified", ""),
        ("LEAD OFF", "ecg.unspecified", ""),
        ("", "ecg.unspecified", ""),
    ],
)
def test_a_lead_is_told_only_where_the_label_names_one(label: str, channel: str, mode: str) -> None:
    waves = by_channel(heard(message(f"HR=1;80;{label};\r"))[0])
    assert waves[channel].scale.filter == mode


def test_several_messages_in_a_chunk_make_one_wave_and_keep_their_marks() -> None:
    waves = by_channel(heard(message() * 3)[0])
    assert len(waves["ecg.ii"].samples) == 600
    assert waves["ibp.p2"].marks == (Mark(0, "off", 50), Mark(50, "off", 50), Mark(100, "off", 50))


def test_values_absences_and_texts() -> None:
    said, _ = heard(message(LINES + "RR=1;35;APNEA: 20 SEC;\rT1=1;36.8;;\rNIBP=4;121;75;92;80;;\rETCO2=1;;;\r"))
    told = numerics(said)
    assert told["ecg.hr"] == Numeric("ecg.hr", 80, "/min")
    assert told["spo2"] == Numeric("spo2", 100, "%")
    assert told["spo2.pr"] == Numeric("spo2.pr", 80, "/min")
    assert told["ibp.p2_sys"] == Numeric("ibp.p2_sys", None, "mm[Hg]", Why.NO_SENSOR)
    assert told["co2.et"] == Numeric("co2.et", None, "mm[Hg]", Why.UNAVAILABLE)
    assert [told[f"nibp.{part}"].value for part in ("sys", "dia", "map", "pr")] == [121, 75, 92, 80]
    assert told["temp.unspecified"].value == Decimal("36.8")
    assert Status("ivy_450c-label", Phase.ON, "RR: APNEA: 20 SEC", "resp.rr") in said
    assert not [output for output in said if isinstance(output, Alarm)], "a label is no alarm"


def test_zero_is_a_reading_and_a_strange_number_is_told_as_text() -> None:
    said, _ = heard(message("HR=1;0;ECG-II-DIAG;\rSPO2=1;9?;PR=;\r"))
    assert numerics(said)["ecg.hr"].value == 0
    assert numerics(said)["spo2"].why is Why.INVALID
    assert numerics(said)["spo2.pr"].why is Why.UNAVAILABLE
    assert Status("ivy_450c-text", Phase.ON, "spo2: 9?", "spo2") in said


def test_alarm_codes_and_labels_are_told_on_change() -> None:
    calm, loud = "HR=1;80;ECG-II-DIAG;\r", "HR=2;151;ECG-II-DIAG;HIGH RATE\r"
    said, _ = heard(message(calm) + message(loud) + message(loud) + message(calm))
    assert [output for output in said if isinstance(output, Alarm)] == [
        Alarm("HR", "HIGH RATE", "unknown", Phase.ON, "ecg.hr"),
        Alarm("HR", "HIGH RATE", "unknown", Phase.OFF, "ecg.hr"),
    ]
    codes = [output.text for output in said if isinstance(output, Status) and output.code == "ivy_450c-code"]
    assert codes == ["HR: 1", "HR: 2", "HR: 1"]


def test_lines_we_do_not_know_are_kept() -> None:
    said, driver = heard(message(LINES + "AGENT=1;0.4;;\rHR=\r") * 2)
    kept = [output.text for output in said if isinstance(output, Status) and output.code == "ivy_450c-line"]
    assert kept == ["AGENT=1;0.4;;", "HR="]
    assert driver.counts.bad == 0


def test_with_a_co2_value_the_respiration_is_not_called_impedance() -> None:
    assert "resp.wave" in by_channel(heard(message(LINES + "ETCO2=1;38;;\r"))[0])


@pytest.mark.parametrize(
    ("hurt", "reason", "skipped"),
    [
        (message()[:100] + message()[101:], "text", len(message()) - 1),  # a wave byte lost
        (message()[:100] + b"\x10" + message()[100:], "text", len(message()) + 1),  # a wave byte too many
        (message()[:300], "no end", 300),
        (message()[:420], "no end", 420),
        (message()[:300] + b"\xfe", "wave part short", 301),
        (message().replace(b"HR=1", b"HR=\x81"), "text", len(message())),
    ],
)
def test_a_damaged_message_is_refused_and_the_next_one_heard(hurt: bytes, reason: str, skipped: int) -> None:
    _, driver = heard(hurt + message())
    assert driver.counts == Counts(frames=1, bad=1, skipped=skipped, reasons={reason: 1})


def test_a_message_without_an_end_does_not_fill_the_memory() -> None:
    _, driver = heard(message()[:-1] + b"A" * 5_000)
    assert driver.counts.reasons == {"too long": 1}
    assert driver.pending() == 0
    assert list(driver.on_bytes(message(), 0))
    assert driver.counts.frames == 1


def test_real_recording() -> None:
    data = (corpus("ivy_450c_ansarb") / "Ivy450C.part1.data").read_bytes()
    said, driver = heard(data)
    assert driver.counts == Counts(frames=18, skipped=252)
    assert driver.pending() == 0
    waves = by_channel(said)
    assert [float((s - 100) * Fraction(1, 50)) for s in waves["ecg.ii"].samples[:5]] == [0.76, 0.68, 0.76, 0.84, 0.68]
    assert set(waves["ibp.p2"].samples) == {0xFB}


def test_the_pressure_bytes_are_the_pressures_the_monitor_prints() -> None:
    data = (corpus("ivy_450c_ansarb") / "Ivy450C.part1.data").read_bytes()
    driver = Ivy450C()
    for one in data[252:].split(b"\xfe")[:-1]:
        said = list(driver.on_bytes(one + b"\xfe", 0))
        p1, told = by_channel(said)["ibp.p1"], numerics(said)
        physical = [(sample - p1.scale.offset) * p1.scale.gain for sample in p1.samples]
        for drawn, printed in ((max(physical), told["ibp.p1_sys"].value), (min(physical), told["ibp.p1_dia"].value)):
            assert printed is not None
            assert abs(drawn - Fraction(printed)) <= 1, "the printed number is of another beat at most"
