"""FHIR exports, read back and checked by fhir.resources."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from centre.export import fhir
from centre.export.deliver import to_folder
from centre.export.plan import RefusedError, Wish, plan
from tests.exports import readers
from tests.exports.compare import compare
from tests.exports.rig import Truth, archive, feed, url_of
from tests.unit.test_export_tables import SPO2
from tests.unit.test_export_wfdb import LEADS, signal
from wire.records import Association, NumericAt

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SAID = (
    Association(2, "scan", "validated", "nurse", "p-1", "bed 7"),
    NumericAt(8_000_000, 9, Decimal("97.50"), "questionable"),
    NumericAt(9_000_000, 9, None, "sensor-off"),
    NumericAt(9_500_000, 9, 96, "", "2000-01-01T00:00:06"),
    NumericAt(9_600_000, 9, 96, "demo"),
)


def exported(tmp_path: Path, truth: Truth, form, anchored: bool = True) -> Path:
    url = url_of(tmp_path)
    gateway = feed(url, truth, SAID, [SPO2], anchored)
    with archive(url, gateway) as opened:
        to_folder(form(opened, plan(opened, Wish())), tmp_path / "out")
    return tmp_path / "out"


def gapped() -> Truth:
    truth = Truth("t", Fraction(500), signal(7000), LEADS)
    truth.held[:, 1000:1100] = False
    truth.held[1, 2000:2001] = False
    return truth


def resources(out: Path) -> list[dict]:
    return [json.loads(line, parse_float=Decimal) for path in out.glob("*.ndjson") for line in path.open()]


@pytest.mark.parametrize(("form", "reader"), [(fhir.r4, readers.fhir), (fhir.r5, readers.fhir_r5)])
def test_waves_come_back_and_every_resource_is_valid(tmp_path: Path, form, reader) -> None:
    truth = gapped()
    out = exported(tmp_path, truth, form)
    assert compare(truth, reader(out)).good
    found = resources(out)
    ids = {f"{one['resourceType']}/{one['id']}" for one in found if "id" in one}
    pointed = {one["device"]["reference"] for one in found if one["resourceType"] == "Observation"}
    targets = {t["reference"] for one in found if one["resourceType"] == "Provenance" for t in one["target"]}
    assert pointed | targets <= ids
    assert targets == {name for name in ids if name.startswith("Observation/")}
    wave = next(one for one in found if one.get("component"))["component"][0]["valueSampledData"]
    assert wave.get("period", wave.get("interval")) == 2
    assert ("intervalUnit" in wave) == (form is fhir.r5)
    assert wave["factor"] == Decimal("0.001")


def test_readings_are_told_as_they_were_said(tmp_path: Path) -> None:
    out = exported(tmp_path, gapped(), fhir.r4)
    told = [one for one in resources(out) if one["resourceType"] == "Observation" and "component" not in one]
    told = [one for one in told if "valueSampledData" not in one]
    assert [str(one.get("valueQuantity", {}).get("value", "")) for one in told] == ["97.50", "", "96", "96"]
    assert told[0]["interpretation"] == [{"text": "questionable"}]
    assert told[1]["dataAbsentReason"]["coding"][0]["code"] == "temp-unknown"
    assert told[1]["dataAbsentReason"]["text"] == "sensor-off"
    assert told[0]["effectiveDateTime"] == "2026-12-06T08:00:08.000000Z"
    assert "effectiveDateTime" not in told[2], "the device's clock proves nothing"
    assert told[2]["_effectiveDateTime"]["extension"][0]["valueCode"] == "unknown"
    assert told[3]["meta"]["tag"][0]["code"] == "HTEST"
    assert {one["subject"]["identifier"]["value"] for one in told} == {"north:p-1"}
    codes = {(c["system"], c["code"]) for c in told[0]["code"]["coding"]}
    assert ("urn:iso:std:iso:11073:10101", "150456") in codes
    assert ("http://loinc.org", "59408-5") in codes


def test_a_time_that_nobody_vouches_for_is_no_instant(tmp_path: Path) -> None:
    out = exported(tmp_path, gapped(), fhir.r4, anchored=False)
    told = [one for one in resources(out) if one["resourceType"] == "Observation"]
    assert not any("effectiveDateTime" in one for one in told)


def test_a_bundle_may_be_sent_twice(tmp_path: Path) -> None:
    out = exported(tmp_path, gapped(), fhir.r4_bundle)
    for path in sorted(out.glob("*.json")):
        bundle = readers.model("fhir.resources.R4B", "Bundle").model_validate_json(path.read_text())
        assert bundle.type == "transaction"
        for entry in json.loads(path.read_text())["entry"]:
            assert entry["resource"]["resourceType"] == "Provenance" or "ifNoneExist" in entry["request"]


def test_a_scale_that_is_no_decimal_is_refused(tmp_path: Path) -> None:
    truth = gapped()
    truth.gains[0] = Fraction(1, 205)
    with pytest.raises(RefusedError, match="no decimal"):
        exported(tmp_path, truth, fhir.r4)
