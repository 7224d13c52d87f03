"""The JSON interface: what is stored, as sent; what is missing, with its cause; errors as types."""

from decimal import Decimal
from fractions import Fraction

import pytest

from centre.rows import Anchored, Gap
from centre.store.engine import StoreError
from centre.web import api
from centre.web.api import SAMPLES_LIMIT
from centre.web.app import make_app
from tests.system.page_caller import ask
from tests.system.page_source import BOOT_UTC, EPOCH, Memory, Said, bed, run, stream
from wire import records

HZ = 100
RANGES = ((50, 100), (200, 400), (0, 40))


def filled() -> Memory:
    memory = Memory(bed(missing=3, lost=2, duplicates=1))
    memory.catalogue += [
        stream(0, "ecg.ii", "mV", Fraction(HZ), gain=Fraction(1, 200), offset=Fraction(8192)),
        stream(1, "temp.skin", "Cel"),
    ]
    memory.anchored["gw-a1"].append(Anchored(EPOCH, 0, BOOT_UTC, 40_000, "ntp"))
    for first in (0, 100, 300):
        memory.say(Said("gw-a1", samples=[run(0, first, range(first, first + 100), (first + 100) * 10_000)]))
    memory.lost["gw-a1"].append(Gap(EPOCH, 0, 2_500_000, 200, 60, "parse"))
    return memory


def answer(memory: Memory, path: str) -> dict:
    said = ask(make_app(memory, memory, now=lambda: BOOT_UTC + 10_000_000), path)
    assert said.status_code == 200, said.text
    return said.json()


def test_beds_say_link_age_binding_and_what_is_missing():
    said = answer(filled(), "/api/beds")
    assert said["now"] == BOOT_UTC + 10_000_000
    [one] = said["beds"]
    assert (one["online"], one["heard"], one["status"]) == (True, BOOT_UTC, "validated")
    assert (one["missing"], one["lost"], one["duplicates"]) == (3, 2, 1)


def test_streams_say_what_the_integers_mean():
    said = answer(filled(), "/api/beds/gw-a1/streams")
    wave, numeric = said["streams"]
    assert said["epoch"] == EPOCH
    assert (wave["rate"], wave["gain"], wave["offset"], wave["unit"]) == ([100, 1], [1, 200], [8192, 1], "mV")
    assert numeric["rate"] == [0, 1]


def test_samples_are_as_sent_and_every_hole_has_its_cause():
    said = answer(filled(), "/api/beds/gw-a1/samples?stream=0&first=50&last=1000")
    assert (said["first"], said["last"], said["end"], said["next"]) == (50, 400, 400, None)
    assert [(r["first"], len(r["samples"])) for r in said["runs"]] == [(50, 50), (100, 100), (300, 100)]
    assert [n for r in said["runs"] for n in r["samples"]] == [*range(50, 200), *range(300, 400)]
    assert [(h["first"], h["last"], h["cause"]) for h in said["holes"]] == [
        (200, 260, "parse"),
        (260, 300, "not-received"),
    ]


def test_ranges_of_several_waves_are_each_as_it_would_be_alone_and_bounded_in_all(monkeypatch):
    alone = [answer(filled(), f"/api/beds/gw-a1/samples?stream=0&epoch={EPOCH}&first={a}&last={b}") for a, b in RANGES]
    asked = "".join(f"&range=0.{a}.{b}" for a, b in RANGES)
    assert answer(filled(), f"/api/beds/gw-a1/ranges?epoch={EPOCH}{asked}")["waves"] == alone
    monkeypatch.setattr(api, "SAMPLES_LIMIT", 120)
    several = answer(filled(), f"/api/beds/gw-a1/ranges?epoch={EPOCH}{asked}")["waves"]
    cut = [(one["first"], one["last"], one["next"]) for one in several]
    assert cut == [(50, 100, None), (200, 270, 270), (0, 0, 0)]


def test_a_run_is_dated_with_its_error_and_grade():
    [first, *_] = answer(filled(), "/api/beds/gw-a1/samples?stream=0&first=0&last=90")["runs"]
    assert first["t"] == 900_000  # when the last of the ninety arrived, not the last of the block
    assert (first["utc"], first["grade"]) == (BOOT_UTC + 900_000, "A")
    assert 40_000 <= first["error"] <= 50_000


def test_without_an_anchor_time_is_said_to_be_unknown():
    memory = filled()
    memory.anchored.clear()
    [first, *_] = answer(memory, "/api/beds/gw-a1/samples?stream=0&first=0&last=90")["runs"]
    assert (first["utc"], first["error"], first["grade"]) == (None, None, "X")


def test_one_answer_is_bounded_and_says_where_to_go_on():
    memory = Memory(bed())
    memory.catalogue.append(stream(0, "ecg.ii", "mV", Fraction(500)))
    for first in range(0, SAMPLES_LIMIT + 50_000, 50_000):
        memory.say(Said("gw-a1", samples=[run(0, first, [7] * 50_000, first)]))
    said = answer(memory, "/api/beds/gw-a1/samples?stream=0&first=0")
    assert sum(len(r["samples"]) for r in said["runs"]) == SAMPLES_LIMIT == said["next"]
    rest = answer(memory, f"/api/beds/gw-a1/samples?stream=0&first={said['next']}")
    assert (sum(len(r["samples"]) for r in rest["runs"]), rest["next"]) == (50_000, None)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("36.80"), "36.80"),
        (Decimal("0"), "0"),
        (Decimal("1E+2"), "100"),
        (Decimal("1E+999999"), "1E+999999"),
        (Decimal("NaN"), "NaN"),
        (None, None),
    ],
)
def test_a_value_keeps_its_digits(value, shown):
    memory = filled()
    memory.say(Said("gw-a1", [records.NumericAt(1_000_000, 1, value, "" if value else "sensor-off")]))
    [said] = answer(memory, "/api/beds/gw-a1/numerics")["numerics"]
    assert said["value"] == shown


def test_numerics_default_to_the_newest_of_each_stream():
    memory = filled()
    for t in (1, 2, 3):
        memory.say(Said("gw-a1", [records.NumericAt(t, 1, t)]))
    assert [n["value"] for n in answer(memory, "/api/beds/gw-a1/numerics")["numerics"]] == ["3"]
    assert [n["value"] for n in answer(memory, "/api/beds/gw-a1/numerics?since=2")["numerics"]] == ["2", "3"]


def test_notices_are_relayed_and_said_to_be_silent():
    memory = filled()
    memory.say(Said("gw-a1", [records.AlarmAt(5, 0, "17", "** HR HIGH", "medium", "on", "ecg.hr")]))
    said = answer(memory, "/api/beds/gw-a1/notices")
    assert said["annunciation"] == "none"
    [one] = said["notices"]
    assert (one["kind"], one["code"], one["text"], one["priority"]) == ("alarm", "17", "** HR HIGH", "medium")


def test_ledger_counts_and_lists_declared_gaps():
    said = answer(filled(), "/api/beds/gw-a1/ledger")
    assert (said["missing"], said["lost"], said["duplicates"]) == (3, 2, 1)
    assert [(g["first"], g["count"], g["cause"]) for g in said["gaps"]] == [(200, 60, "parse")]


def test_health_and_metrics():
    memory = filled()
    assert answer(memory, "/healthz") == {"state": "ok", "beds": 1}
    text = ask(make_app(memory, memory), "/metrics").text
    assert "wardlink_centre_envelopes_missing 3\n" in text
    assert "wardlink_centre_samples 300\n" in text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/beds/gw-zz/streams", 404),
        ("/api/beds/gw-zz/ledger", 404),
        ("/api/beds/gw-a1/samples?stream=9", 404),
        ("/api/beds/gw-a1/samples?stream=1", 404),
        ("/api/beds/gw-a1/samples", 422),
        ("/api/beds/gw-a1/samples?stream=-1", 422),
        ("/api/beds/gw-a1/samples?stream=0&first=1e99", 422),
        ("/api/beds/gw-a1/numerics?limit=5001", 422),
        ("/api/beds/%3Cscript%3E/streams", 422),
        ("/api/nothing", 404),
        ("/static/%2e%2e/app.py", 404),
    ],
)
def test_errors_are_typed(path, status):
    memory = filled()
    said = ask(make_app(memory, memory), path)
    assert said.status_code == status
    assert set(said.json()) == {"error", "hint"}


def test_a_failing_store_is_said_to_fail():
    class Failing(Memory):
        def beds(self):
            raise StoreError("the store refuses: disk full", "is its disk not full?")

    memory = Failing()
    said = ask(make_app(memory, memory), "/api/beds")
    assert (said.status_code, said.json()["hint"]) == (503, "is its disk not full?")
