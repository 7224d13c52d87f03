"""puritan_bennett_840 against reports made by the field tables of the manual; the real ones are a capture."""

from collections.abc import Iterable
from decimal import Decimal

import pytest

from drivers.contract import Alarm, Counts, DeviceTime, Identity, Numeric, Output, Phase, Send, Status, Why
from drivers.devices.puritan_bennett_840 import LAYOUTS, PuritanBennett840
from drivers.puritan_bennett.fields import FIRST_FIELD
from drivers.vocabulary import codes

SECOND_NS = 1_000_000_000
WIDTHS = {"MISCF": {6: 18, 7: 12, 8: 9, 53: 18, 55: 9, 66: 9, 156: 9}, "MISCA": {6: 18, 8: 12, 62: 12, 100: 9}}
COUNTS = {"MISCF": 169, "MISCA": 97}
CALM = dict.fromkeys(range(106, 137), "NORMAL")


def report(name: str, fields: dict[int, str], *, uncounted: int = 0, count: int = 0, last: str = ",") -> bytes:
    count = count or COUNTS[name]
    parts = [fields.get(at, "").ljust(WIDTHS[name].get(at, 6)) for at in range(FIRST_FIELD, FIRST_FIELD + count)]
    body = ",".join(parts) + last
    return f"{name},{len(body) + uncounted},{count:<3},\x02{body}\x03\r".encode("ascii")


def heard(*pieces: bytes) -> tuple[list[Output], PuritanBennett840]:
    driver = PuritanBennett840()
    return [output for piece in pieces for output in driver.on_bytes(piece, 0)], driver


def numerics(said: Iterable[Output]) -> dict[str, Numeric]:
    return {output.channel: output for output in said if isinstance(output, Numeric)}


def test_the_long_report_is_as_long_as_the_manual_says() -> None:
    assert report("MISCF", {}).startswith(b"MISCF,1225,169,\x02")
    assert report("MISCA", {}).startswith(b"MISCA,706,97 ,\x02")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("MISCF", {70: "14", 71: "0.462", 73: "19", 74: "9.2", 77: "40", 87: "5.1"}),
        ("MISCA", {34: "14", 35: "0.462", 38: "19", 39: "9.2"}),
    ],
)
def test_readings_go_to_the_channels_of_the_vocabulary(name: str, fields: dict[int, str]) -> None:
    told = numerics(heard(report(name, fields))[0])
    assert told["resp.rr"] == Numeric("resp.rr", 14, "/min")
    assert told["vent.tidal_vol"] == Numeric("vent.tidal_vol", Decimal("0.462"), "L")
    assert told["vent.p_max"].value == 19
    assert told["vent.p_mean"] == Numeric("vent.p_mean", Decimal("9.2"), "cm[H2O]")
    if name == "MISCF":
        assert told["vent.peep"].value == Decimal("5.1")
        assert told["o2.fio2"] == Numeric("o2.fio2", 40, "%")


def test_every_field_has_one_meaning_and_every_channel_one_field() -> None:
    for layout in LAYOUTS.values():
        fields = [*layout.numbers, *layout.states, *layout.alarms, layout.time, layout.id, layout.date]
        assert len(fields) == len(set(fields))
        channels = [channel for channel, _ in layout.numbers.values()]
        assert len(channels) == len(set(channels))
        assert all(":" in channel or channel in codes() for channel in channels)
        assert max(fields) < FIRST_FIELD + max(layout.counts)


def test_what_is_adjusted_is_never_a_measurement() -> None:
    told = numerics(heard(report("MISCF", {13: "12", 18: "5.0", 34: "40", 35: "OFF"}))[0])
    assert told["puritan_bennett_840:set-respiratory-rate"].value == 12
    assert told["puritan_bennett_840:set-peep"].value == Decimal("5.0")
    assert told["puritan_bennett_840:limit-high-inspiratory-pressure"].value == 40
    assert told["puritan_bennett_840:limit-low-inspiratory-pressure"].why is Why.UNAVAILABLE
    assert told["vent.peep"].value is None


@pytest.mark.parametrize(
    ("text", "value", "why"),
    [
        ("0", 0, None), ("0.00", Decimal("0.00"), None), ("-3.5", Decimal("-3.5"), None), ("- 3", -3, None),
        ("", None, Why.UNAVAILABLE), ("*", None, Why.INVALID), ("1.2.3", None, Why.INVALID), ("12L", None, Why.INVALID),
    ],
)  # fmt: skip
def test_values_and_absences(text: str, value: object, why: Why | None) -> None:
    told = numerics(heard(report("MISCF", {69: text}))[0])["puritan_bennett_840:end-inspiratory-pressure"]
    assert (told.value, told.why) == (value, why)


def test_readings_repeat_and_settings_and_absences_do_not() -> None:
    said, driver = heard(report("MISCF", {13: "12", 70: "14"}))
    again = numerics(driver.on_bytes(report("MISCF", {13: "12", 70: "14"}), 0))
    assert set(again) == {"resp.rr"}
    changed = numerics(driver.on_bytes(report("MISCF", {13: "15"}), 0))
    assert changed["puritan_bennett_840:set-respiratory-rate"].value == 15
    assert changed["resp.rr"] == Numeric("resp.rr", None, "/min", Why.UNAVAILABLE)
    assert len(numerics(said)) == len(LAYOUTS["MISCF"].numbers)


def test_alarms_begin_change_and_end_with_their_words() -> None:
    words = [CALM, CALM | {112: "HIGH"}, CALM | {112: "LOW"}, CALM | {112: "LOW", 124: "ODD"}, CALM | {112: "RESET"}]
    said, _ = heard(*[report("MISCF", fields) for fields in words])
    rate = "high respiratory rate"
    assert [output for output in said if isinstance(output, Alarm)] == [
        Alarm(rate, "HIGH", "high", Phase.ON),
        Alarm(rate, "LOW", "low", Phase.ON),
        Alarm("disconnect", "ODD", "unknown", Phase.ON),
        Alarm(rate, "LOW", "low", Phase.OFF),
        Alarm("disconnect", "ODD", "unknown", Phase.OFF),
    ]


def test_no_alarm_is_left_behind_by_the_other_kind_of_report() -> None:
    said, _ = heard(report("MISCA", {54: "ALARM"}), report("MISCF", CALM))
    assert [(output.code, output.phase) for output in said if isinstance(output, Alarm)] == [
        ("no O2 supply", Phase.ON),
        ("no O2 supply", Phase.OFF),
    ]


def test_who_when_and_states() -> None:
    fields = {5: "08:05", 6: "840 3510012345", 7: "NOV 22 2014", 9: "A/C"}
    said, driver = heard(report("MISCF", fields))
    assert said[:2] == [Identity("Puritan Bennett", "840", "3510012345"), DeviceTime("2014-11-22T08:05")]
    assert Status("mode", Phase.ON, "A/C") in said
    later = list(driver.on_bytes(report("MISCF", fields | {5: "25:00", 6: "3510012345", 9: ""}), 0))
    assert later[0] == Status("mode", Phase.OFF, "A/C")


@pytest.mark.parametrize("last", ["", ","])
def test_ways_to_end_that_the_manual_leaves_open(last: str) -> None:
    assert heard(report("MISCF", CALM, last=last))[1].counts == Counts(frames=1)


def test_a_lost_byte_is_seen_wherever_it_was() -> None:
    whole = report("MISCF", CALM | {70: "14", 71: "0.462"})
    for at in range(whole.index(b"\x02"), len(whole) - 1):
        assert heard(whole[:at] + whole[at + 1 :])[1].counts.frames == 0, at


def test_alarms_of_a_980_that_the_840_names_otherwise_have_their_number() -> None:
    words = {6: "980 35B0000000", 110: "HIGH", 137: "LOW"}
    told = [one.code for one in heard(report("MISCF", CALM | words))[0] if isinstance(one, Alarm)]
    assert told == ["high inspiratory pressure", "field 137"]
    told = [one.code for one in heard(report("MISCF", CALM | words | {6: "840 35"}))[0] if isinstance(one, Alarm)]
    assert told == ["high inspiratory pressure", "technical malfunction A5"]


@pytest.mark.parametrize(
    ("hurt", "reason"),
    [
        (report("MISCF", {}, uncounted=1), "length"),
        (report("MISCF", {}, uncounted=-1), "length"),
        (report("MISCF", {}, count=140), "fields"),
        (report("MISCF", {9: "A,B"}), "fields"),
        (b"MISCF,3,1,\x02\x81\x81\x03\r", "form"),
        (b"MISCX,3,1,\x02ab\x03\r", "form"),
        (report("MISCF", {})[:500], "cut short"),
        (b"MISC" + b"A" * 3000, "too long"),
    ],
)
def test_damage_costs_the_report_and_no_other(hurt: bytes, reason: str) -> None:
    said, driver = heard(hurt + report("MISCF", {70: "14"}))
    assert numerics(said)["resp.rr"].value == 14
    assert driver.counts.frames == 1
    assert driver.counts.reasons == {reason: 1}
    assert driver.counts.skipped == len(hurt)


def test_requests_alternate_until_the_long_one_is_answered() -> None:
    driver = PuritanBennett840()
    asked = [*driver.on_open(0), *driver.on_time(5 * SECOND_NS), *driver.on_time(10 * SECOND_NS)]
    assert asked == [Send(b"SNDF\r"), Send(b"SNDA\r"), Send(b"SNDF\r")]
    list(driver.on_bytes(report("MISCF", CALM), 11 * SECOND_NS))
    assert driver.wake_at == 12 * SECOND_NS
    assert [*driver.on_time(12 * SECOND_NS + 1), *driver.on_time(17 * SECOND_NS)] == [Send(b"SNDF\r")] * 2
