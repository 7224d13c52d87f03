"""The quality of times in FHIR R4: the shapes and codes of the HL7 PHD guide."""

from __future__ import annotations

import pytest

from centre import fhir
from centre.mapping import FLOOR_UTC_US, Mapping, Moment
from centre.rows import Anchored
from centre.web.app import make_app
from tests.system.page_caller import ask
from tests.system.page_source import Memory, bed

MDC = "urn:iso:std:iso:11073:10101"


def code(concept: dict) -> str:
    [coding] = concept["coding"]
    assert coding["system"] == MDC
    return coding["code"]


@pytest.mark.parametrize(
    ("source", "method"),
    [
        ("ntp", "532226"),
        ("gnss", "532238"),
        ("operator", "532234"),
        ("mqtt", "532236"),
        ("signed", "532236"),
        ("rtc", "532224"),
    ],
)
def test_a_gateway_with_a_time_says_how_and_how_well(source: str, method: str) -> None:
    memory = Memory(bed(source=source, error=12_345))
    said = ask(make_app(memory, memory), "/api/beds/gw-a1/device").json()
    assert said["resourceType"] == "Device"
    assert code(said["type"]) == "531981"
    protocol, accuracy = said["property"]
    assert set(protocol) == {"type", "valueCode"}
    assert (code(protocol["type"]), code(protocol["valueCode"][0])) == ("68220", method)
    assert code(accuracy["type"]) == "68221"
    assert accuracy["valueQuantity"] == [{"value": 12_345, "system": "http://unitsofmeasure.org", "code": "us"}]


def test_a_gateway_without_a_time_says_none_and_no_accuracy() -> None:
    [protocol] = fhir.clock_properties("", None)
    assert protocol.valueCode is not None
    assert protocol.valueCode[0].coding[0].code == "532224"


def test_only_what_an_anchor_vouches_for_is_an_instant() -> None:
    utc = 1_800_000_000_123_456
    anchored = Mapping([Anchored(1, 0, utc, 5, "ntp")]).at(0)
    assert fhir.effective(anchored) == {"effectiveDateTime": "2027-01-15T08:00:00.123456Z"}
    period = Moment(None, None, FLOOR_UTC_US, utc, "D")
    assert fhir.effective(period) == {
        "effectivePeriod": {"start": "2026-11-22T00:00:00.000000Z", "end": "2027-01-15T08:00:00.123456Z"}
    }
    [extension] = fhir.effective(Mapping([]).at(0))["_effectiveDateTime"]["extension"]
    assert extension["valueCode"] == "unknown"
