"""PCD-01 exports, read back by python-hl7 and hl7apy."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from centre.export import hl7
from centre.export.deliver import to_folder
from centre.export.plan import Wish, plan
from tests.exports import readers
from tests.exports.compare import compare
from tests.exports.field import load
from tests.exports.rig import archive, feed, url_of
from tests.unit.test_export_fhir import SAID, gapped
from tests.unit.test_export_tables import SPO2

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def exported(tmp_path: Path, truth, anchored: bool = True) -> Path:
    url = url_of(tmp_path)
    gateway = feed(url, truth, SAID, [SPO2], anchored)
    with archive(url, gateway) as opened:
        to_folder(hl7.members(opened, plan(opened, Wish())), tmp_path / "out")
    return tmp_path / "out"


def observations(out: Path) -> list:
    package = load("hl7")
    (path,) = [one for one in out.glob("*-s0-*.hl7") if one.stat().st_size]
    return [line for said in readers.messages(path) for line in package.parse(said).segments("OBX")]


def test_waves_come_back(tmp_path: Path) -> None:
    truth = gapped()
    out = exported(tmp_path, truth)
    assert compare(truth, readers.hl7(out)).good


def test_every_message_is_an_oru_r01(tmp_path: Path) -> None:
    parser, levels = load("hl7apy.parser"), load("hl7apy.consts").VALIDATION_LEVEL
    truth = gapped()
    truth.values = truth.values[:, :1150]
    truth.held = truth.held[:, :1150]
    out = exported(tmp_path, truth)
    for path in out.glob("*.hl7"):
        for said in readers.messages(path):
            message = parser.parse_message(said, validation_level=levels.STRICT)
            assert message.validate()
            assert message.msh.msh_21.value.startswith("IHE_PCD_001")


def test_doubts_absence_and_time_are_said(tmp_path: Path) -> None:
    found = [
        line for line in observations(exported(tmp_path, gapped())) if str(line[2]) == "NM" and "150456" in str(line[3])
    ]
    assert [str(line[5]) for line in found] == ["97.50", "", "96", "96"]
    assert [str(line[8]) for line in found] == ["QUES", "NAV~sensor-off", "", "DEMO"]
    assert [str(line[11]) for line in found] == ["R", "X", "R", "R"]
    assert str(found[0][14]) == "20261206080008.0000+0000"
    assert str(found[2][14]) == "", "its clock proves nothing"
    assert str(found[0][6]) == "262688^^MDC^%^%^UCUM"
    assert str(found[0][18]).endswith("SN-4711^WARDLINK")


def test_no_instant_without_a_clock(tmp_path: Path) -> None:
    found = observations(exported(tmp_path, gapped(), anchored=False))
    assert {str(line[14]) for line in found} == {""}


def test_text_of_strangers_ends_no_field() -> None:
    assert hl7.text("a|b^c\rOBX|9") == "a\\F\\b\\S\\c\N{REPLACEMENT CHARACTER}OBX\\F\\9"
    assert hl7._ratio(Fraction(-1, 205)) == "^-1^/^205"
