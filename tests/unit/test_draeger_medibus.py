"""draeger_medibus against the worked examples of the Protocol Definition and messages made by its rules."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

import pytest

from drivers.capture import play
from drivers.contract import Alarm, Counts, DeviceTime, Identity, Mark, Numeric, Output, Phase, Send, Status, Wave, Why
from drivers.devices.draeger_medibus import DraegerMedibus
from drivers.draeger import codes, slow
from drivers.draeger.curves import ENABLES, configure, enable
from drivers.draeger.session import SENDS
from drivers.draeger.slow import command, framed

SECOND_NS = 1_000_000_000
PAW = b"00   16000  -10  100370"
FLOW = b"01   16000 -180  1807D0"
VOLUME = b"03   16000    0 2000FFF"
CO2 = b"06   16000  -20  100460"
EXAMPLE = bytes.fromhex("D391818D83")


def answer(code: int, data: bytes = b"") -> bytes:
    return framed(slow.RESPONSE, code, data)


def heard(*pieces: bytes, driver: DraegerMedibus | None = None) -> tuple[list[Output], DraegerMedibus]:
    driver = driver or DraegerMedibus()
    return [output for piece in pieces for output in driver.on_bytes(piece, 0)], driver


def begun(*configuration: bytes) -> DraegerMedibus:
    """A talk in which the curves are agreed."""
    driver = DraegerMedibus()
    list(driver.on_open(0))
    heard(answer(slow.ICC), answer(slow.IDENTIFY), answer(slow.CURVES, b"".join(configuration)), driver=driver)
    if configuration:
        heard(answer(slow.CONFIGURE_CURVES), driver=driver)
    return driver


def waves(said: Iterable[Output]) -> dict[str, Wave]:
    return {output.channel: output for output in said if isinstance(output, Wave)}


def sent(said: Iterable[Output]) -> list[bytes]:
    return [output.data for output in said if isinstance(output, Send)]


@pytest.mark.parametrize(
    ("made", "hex_bytes"),
    [
        (command(slow.ICC), "1B5136430D"),
        (answer(slow.ICC), "015135320D"),
        (command(slow.NOP), "1B3034420D"),
        (command(slow.MEASURED_1), "1B2433460D"),
        (answer(slow.MEASURED_1), "012432350D"),
        (answer(slow.CORRUPT), "011531360D"),
        (answer(slow.MEASURED_1, b"EB 98 E1 70 "), "01244542203938204531203730203741 0D"),
        (enable(2), "D0C1C3C0C0"),
    ],
)
def test_messages_are_those_of_the_protocol_definition(made: bytes, hex_bytes: str) -> None:
    assert made == bytes.fromhex(hex_bytes)


def test_worked_example_of_readings() -> None:
    said, driver = heard(answer(slow.MEASURED_1, b"EB 98 E1 70 "))
    assert said == [Numeric("spo2", 98, "%"), Numeric("spo2.pr", 70, "/min")]
    assert driver.counts == Counts(frames=1)


def test_worked_example_of_curves() -> None:
    said, _ = heard(EXAMPLE + b"\xd0", driver=begun(PAW, CO2))
    physical = {
        channel: (wave.samples[0] - wave.scale.offset) * wave.scale.gain for channel, wave in waves(said).items()
    }
    assert physical["mdc:151792"] == Fraction(1, 8)
    assert float(physical["co2.wave"]) == pytest.approx(1.96, abs=0.005)
    assert {wave.scale.rate for wave in waves(said).values()} == {Fraction(125, 2)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b" 98 ", 98), (b"0.00", Decimal("0.00")), (b"11.5", Decimal("11.5")), (b"- 12", -12),
        (b"-1.5", Decimal("-1.5")), (b".008", Decimal(".008")), (b"  0 ", 0), (b" 5. ", Decimal("5.")),
    ],
)  # fmt: skip
def test_numbers_keep_their_digits(text: bytes, value: int | Decimal) -> None:
    said, _ = heard(answer(slow.MEASURED_1, b"7D" + text))
    assert said == [Numeric("vent.p_max", value, "mbar")]
    assert [str(output.value) for output in said if isinstance(output, Numeric)] == [str(value)]


def test_what_is_not_listed_any_more_has_no_value_and_is_told_once() -> None:
    said, _ = heard(*[answer(slow.MEASURED_1, data) for data in (b"EB 98 E1 70 ", b"E1 71 ", b"E1    ", b"E1----")])
    assert said[2:] == [
        Numeric("spo2", None, "%", Why.UNAVAILABLE),
        Numeric("spo2.pr", 71, "/min"),
        Numeric("spo2.pr", None, "/min", Why.UNAVAILABLE),
        Numeric("spo2.pr", None, "/min", Why.INVALID),
    ]


def test_one_channel_never_has_two_units_in_one_answer() -> None:
    said, _ = heard(answer(slow.MEASURED_1, b"E6 38 DB 5.1E3 5.2"))
    assert [(n.channel, n.unit) for n in said if isinstance(n, Numeric)] == [
        ("co2.et", "mm[Hg]"),
        ("draeger_medibus:1-DB", "%"),
        ("draeger_medibus:1-E3", "kPa"),
    ]


def test_limits_and_settings_are_never_the_measurement() -> None:
    said, _ = heard(
        answer(slow.LOW_1, b"EB 90 "),
        answer(slow.HIGH_1, b"EB 99 "),
        answer(slow.MEASURED_2, b"EB 98 "),
        answer(slow.SETTINGS, b"01  80 "),
    )
    assert [output.channel for output in said if isinstance(output, Numeric)] == [
        "draeger_medibus:low-1-EB",
        "draeger_medibus:high-1-EB",
        "draeger_medibus:2-EB",
        "draeger_medibus:setting-01",
    ]


def test_alarms_come_and_go_by_list_and_code_page() -> None:
    one, two = b"O19MIN VOL LOW ", b"G08% O2 LOW    "
    said, _ = heard(
        answer(slow.ALARMS_1, one + two), answer(slow.ALARMS_2, one), answer(slow.ALARMS_1, two), answer(slow.ALARMS_1)
    )
    assert said == [
        Alarm("1-19", "MIN VOL LOW", "high", Phase.ON),
        Alarm("1-08", "% O2 LOW", "medium", Phase.ON),
        Alarm("2-19", "MIN VOL LOW", "high", Phase.ON),
        Alarm("1-19", "MIN VOL LOW", "high", Phase.OFF),
        Alarm("1-08", "% O2 LOW", "medium", Phase.OFF),
    ]


def test_priorities_have_their_limits() -> None:
    words = [codes.priority(number) for number in (0, 1, 10, 11, 24, 25, 31, 32)]
    assert words == ["unknown", "low", "low", "medium", "medium", "high", "high", "unknown"]


def test_texts_are_states_and_a_broken_list_ends_where_it_breaks() -> None:
    said, _ = heard(answer(slow.TEXTS, b"0A4CPAP\x032C1E\x03"), answer(slow.TEXTS, b"0A4BIPA\x032C9E\x03"))
    assert said == [
        Status("text-0A", Phase.ON, "CPAP"),
        Status("text-2C", Phase.ON, "E"),
        Status("text-2C", Phase.OFF, "E"),
        Status("text-0A", Phase.ON, "BIPA"),
    ]


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        (b" 9:33 7-OCT-14", "2014-10-07T09:33"),
        (b" 9:33:00 7-OKT-14", "2014-10-07T09:33:00"),
        (b"09:33:0007-MAI-14", "2014-05-07T09:33:00"),
        (b"09:33 07-Dez-14", "2014-12-07T09:33"),
        (b"09:33:0007-XXX-14", None),
        (b"25:33:0007-OKT-14", None),
    ],
)
def test_dates_as_devices_send_them(text: bytes, iso: str | None) -> None:
    said, _ = heard(answer(slow.DATE, text))
    assert said == ([DeviceTime(iso)] if iso else [])


def test_identity_is_said_once_and_an_empty_one_not_at_all() -> None:
    told = answer(slow.IDENTIFY, b"8210'EVITA XL'06.20:04.03")
    said, _ = heard(answer(slow.IDENTIFY), told, told)
    assert said == [
        Identity("Draeger", "EVITA XL", firmware="06.20:04.03"),
        Status("device-number", Phase.ON, "8210"),
    ]


@pytest.mark.parametrize(
    ("hurt", "reason", "skipped"),
    [
        (answer(slow.MEASURED_1, b"EB 98 ").replace(b"8", b"9"), "checksum", 11),
        (answer(slow.MEASURED_1, b"EB 98 ").lower(), "checksum", 11),
        (answer(slow.MEASURED_1, b"EB 98 ")[:6], "cut short", 6),
        (answer(slow.MEASURED_1, b"EB 98"), "length", 10),
        (answer(slow.ALARMS_1, b"O19MIN VOL LOW"), "length", 19),
        (b"\x01$\x18", "cut short", 3),
        (b"\x01\r", "too short", 2),
    ],
)
def test_damage_costs_the_message_and_no_other(hurt: bytes, reason: str, skipped: int) -> None:
    said, driver = heard(hurt + answer(slow.MEASURED_1, b"EB 97 "))
    assert said == [Numeric("spo2", 97, "%")]
    assert driver.counts == Counts(frames=1, bad=1, skipped=skipped, reasons={reason: 1})


def test_a_message_without_an_end_does_not_fill_the_memory() -> None:
    said, driver = heard(b"\x01" + b"A" * 5000, answer(slow.MEASURED_1, b"EB 97 "))
    assert said == [Numeric("spo2", 97, "%")]
    assert driver.counts.reasons == {"too long": 1}
    assert driver.pending() == 0


def test_realtime_bytes_between_any_two_bytes_of_an_answer() -> None:
    line = answer(slow.MEASURED_1, b"EB 98 ")
    for at in range(len(line) + 1):
        driver = begun(PAW, CO2)
        said, _ = heard(line[:at] + EXAMPLE[:3] + line[at:] + EXAMPLE[3:] + b"\xd0", driver=driver)
        assert Numeric("spo2", 98, "%") in said
        assert waves(said)["mdc:151792"].samples == (81,)
        assert waves(said)["co2.wave"].samples == (205,)


def test_realtime_bytes_nobody_asked_for_prove_nothing() -> None:
    said, driver = heard(EXAMPLE * 50)
    assert said == []
    assert driver.counts == Counts(skipped=250)


@pytest.mark.parametrize(
    "record",
    [
        "D3 9181",  # a value is missing
        "D1 9181 8D83",  # one too many
        "D7 9181 8D83 8D83",  # a stream nobody asked for
        "D3 9181 8D C0",  # a value with half a command
        "D3 CFC0 9181 8D83",  # the device says so
        "D3 91 8D83",  # a byte is lost
        "D3 9181 F0F0 8D83",  # no byte of a record
    ],
)
def test_a_record_out_of_form_is_refused_and_leaves_a_mark(record: str) -> None:
    said, driver = heard(EXAMPLE + bytes.fromhex(record) + EXAMPLE + EXAMPLE + b"\xd0", driver=begun(PAW, CO2))
    for wave in waves(said).values():
        assert len(wave.samples) == 3
        assert wave.marks == (Mark(1, "gap"),)
    assert driver.counts.bad == 1


def test_breathing_and_values_beyond_the_scale_are_marked() -> None:
    line = bytes.fromhex("D0C6C1 D1BFBF D2 8D83 D0C6C0 D3 9181 8D83 D0")
    found = waves(heard(line, driver=begun(PAW, CO2))[0])
    assert found["mdc:151792"].samples == (4095, 81)
    assert found["mdc:151792"].marks == (Mark(0, "expiration"), Mark(0, "beyond-scale"), Mark(1, "inspiration"))
    assert found["co2.wave"].marks == (Mark(0, "expiration"), Mark(1, "inspiration"))


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ((PAW, FLOW, VOLUME, CO2), (0, 1, 6)),
        ((PAW, FLOW, VOLUME), (0, 1, 3)),
        ((FLOW,), (1,)),
        ((b"99   16000    0  100100",), ()),
        (
            (
                b"00       0  -10  100370",
                b"01   16000  180  1807D0",
                b"06   16000  -20  100000",
                b"03   1x000    0 2000FFF",
            ),
            (),
        ),
    ],
)
def test_three_curves_at_most_are_asked_for(there: tuple[bytes, ...], wanted: tuple[int, ...]) -> None:
    driver = DraegerMedibus()
    list(driver.on_open(0))
    said, _ = heard(answer(slow.ICC), answer(slow.IDENTIFY), answer(slow.CURVES, b"".join(there)), driver=driver)
    assert sent(said)[-1] == (configure(wanted) if wanted else command(slow.MEASURED_1))
    if wanted:
        agreed = sent(heard(answer(slow.CONFIGURE_CURVES), driver=driver)[0])
        assert agreed == [enable(len(wanted)), command(slow.MEASURED_1)]


def test_a_round_goes_on_with_each_answer_and_the_next_begins_a_second_later() -> None:
    driver = begun()
    asked = [sent(heard(answer(code), driver=driver)[0]) for code in (slow.MEASURED_1, slow.ALARMS_1, slow.ALARMS_2)]
    assert asked == [[command(slow.ALARMS_1)], [command(slow.ALARMS_2)], [command(slow.TEXTS)]]
    assert sent(heard(answer(slow.TEXTS), driver=driver)[0]) == []
    assert driver.wake_at == SECOND_NS
    assert sent(driver.on_time(SECOND_NS + 1)) == [command(slow.MEASURED_1)]


def test_a_silent_device_hears_nop_and_is_then_begun_with_again() -> None:
    chunks = [(0, answer(slow.ICC))]
    said = [(at, out.data) for at, out in play(DraegerMedibus(), chunks, 16 * SECOND_NS) if isinstance(out, Send)][2:]
    assert [data for _, data in said] == [command(slow.NOP)] * 4 + [command(slow.ICC)] * 2
    assert [at // SECOND_NS for at, _ in said] == [2, 4, 6, 8, 10, 15]


def test_commands_of_the_device_are_answered_and_obeyed() -> None:
    driver = begun(PAW)
    for code in (slow.NOP, slow.TIME_CHANGED, slow.IDENTIFY):
        assert sent(heard(command(code), driver=driver)[0]) == [answer(code)]
    assert sent(heard(command(slow.CURVES_CHANGED), driver=driver)[0]) == [answer(slow.CURVES_CHANGED)]
    assert waves(heard(bytes.fromhex("D19181D0"), driver=driver)[0]) == {}, "the old configuration is void"
    assert sent(heard(command(0x6D), driver=driver)[0]) == []
    assert sent(heard(command(slow.STOP), driver=driver)[0]) == [answer(slow.STOP)]
    assert sent(driver.on_time(6 * SECOND_NS)) == [command(slow.ICC)]


def test_nothing_is_sent_while_the_device_asks_for_silence() -> None:
    driver = begun()
    assert sent(heard(b"\x11" + answer(slow.MEASURED_1), driver=driver)[0]) == []
    assert sent(heard(b"\x13", driver=driver)[0]) == [command(slow.ALARMS_1)]
    assert sent(heard(b"\x11" + answer(slow.ALARMS_1), driver=driver)[0]) == []
    assert sent(driver.on_time(2 * SECOND_NS + 1)) == [command(slow.ALARMS_2)], "longer would end the session"


def test_only_questions_answers_and_the_choice_of_curves_may_be_sent() -> None:
    questions = {0x51, 0x52, 0x30, 0x53, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x2D, 0x2E}
    for data in SENDS - ENABLES:
        assert data[0] in (slow.COMMAND, slow.RESPONSE)
        assert data[0] == slow.RESPONSE or data[1] in questions | {slow.CONFIGURE_CURVES}
        assert len(data) == 5 or data[1] == slow.CONFIGURE_CURVES
