"""DICOM and aECG exports: read back by pydicom and lxml; instances judged by dciodvfy where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from centre.export import aecg, dicom, ecg
from centre.export.deliver import to_folder
from centre.export.plan import RefusedError, Wish, plan
from tests.exports import readers
from tests.exports.compare import compare
from tests.exports.field import load
from tests.exports.rig import Truth, archive, feed, url_of
from tests.unit.test_export_wfdb import signal
from wire.records import StreamInfo

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
TWELVE = [f"ecg.{lead}" for lead in ecg.LEADS]
PLETH = StreamInfo(12, "pleth", 150452, "1", (125, 1))


def exported(tmp_path: Path, truth: Truth, form, anchored: bool = True) -> Path:
    url = url_of(tmp_path)
    gateway = feed(url, truth, (), [], anchored)
    with archive(url, gateway) as opened:
        to_folder(form(opened, plan(opened, Wish())), tmp_path / "out")
    return tmp_path / "out"


def gapped(count: int = 3000) -> Truth:
    truth = Truth("t", Fraction(500), signal(count, 12), TWELVE, filter="monitor 0.5-40 Hz, notch 50 Hz")
    truth.held[:, 1000:1100] = False
    truth.held[1, 2000:2010] = False
    return truth


@pytest.mark.parametrize("name", ["dicom", "aecg"])
def test_leads_come_back(tmp_path: Path, name: str) -> None:
    truth = gapped()
    form = {"dicom": dicom, "aecg": aecg}[name]
    out = exported(tmp_path, truth, form.members)
    assert compare(truth, getattr(readers, name)(out)).good


def judged(path: Path) -> list[str]:
    """What dciodvfy calls an error."""
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    return [line for line in said.stderr.splitlines() if line.startswith("Error")]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="Debian: apt-get install dicom3tools")
def test_instances_are_what_the_standard_asks_for(tmp_path: Path) -> None:
    out = exported(tmp_path, gapped(), dicom.members)
    paths = sorted(out.glob("*.dcm"))
    assert {path.name: judged(path) for path in paths} == {path.name: [] for path in paths}
    classes = {load("pydicom").dcmread(path).SOPClassUID for path in paths}
    assert classes == {dicom.TWELVE, dicom.GENERAL}, "eleven leads are no 12-lead ECG"


def test_dicom_says_band_scale_and_time(tmp_path: Path) -> None:
    out = exported(tmp_path, gapped(), dicom.members)
    one = load("pydicom").dcmread(sorted(out.glob("*.dcm"))[0])
    (group,) = one.WaveformSequence
    channel = group.ChannelDefinitionSequence[1]
    assert (str(channel.ChannelSensitivity), str(channel.ChannelBaseline)) == ("0.001", "0")
    assert (channel.FilterLowFrequency, channel.FilterHighFrequency, channel.NotchFilterFrequency) == (0.5, 40, 50)
    assert channel.ChannelSourceSequence[0].CodeValue == "2:2"
    assert one.AcquisitionTimeSynchronized == "Y"
    assert any("grade A" in note.UnformattedTextValue for note in one.WaveformAnnotationSequence)
    assert (one.PatientID, str(one.PatientName)) == ("", "")


def test_dicom_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    for number, (truth, anchored, why) in enumerate(
        (
            (Truth("t", Fraction(100), signal(500, 12), TWELVE), True, "no ECG of 100 Hz"),
            (gapped(), False, "no clock vouches"),
            (Truth("t", Fraction(500), signal(500, 12, 40000), TWELVE), True, "more than 16 bits"),
            (Truth("t", Fraction(500), signal(500, 1), ["pleth"]), True, "no lead with a code"),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(RefusedError, match=why):
            exported(folder, truth, dicom.members, anchored)
        assert not (folder / "out").exists()


def test_what_is_no_lead_is_named_and_left_out(tmp_path: Path) -> None:
    truth = Truth("t", Fraction(500), signal(2000), ["ecg.ii", "pleth", "ecg.v1"])
    truth.held[1, 700:800] = False
    out = exported(tmp_path, truth, aecg.members)
    assert [one["channel"] for one in json.loads((out / "left-out.json").read_text())] == ["pleth"]
    truth.held[1] = False
    assert compare(truth, readers.aecg(out)).good
    assert len(list(out.glob("*.xml"))) == 1, "a hole of the pleth is none of the leads"


def test_aecg_has_the_structure_of_the_guide(tmp_path: Path) -> None:
    out = exported(tmp_path, gapped(), aecg.members, anchored=False)
    etree = load("lxml.etree")
    space = {"h": "urn:hl7-org:v3", "x": "http://www.w3.org/2001/XMLSchema-instance"}
    kind = f"{{{space['x']}}}type"
    for path in out.glob("*.xml"):
        root = etree.parse(path).getroot()
        order = ["id", "code", "effectiveTime", "componentOf", "component"]
        assert [etree.QName(one).localname for one in root] == order
        values = root.findall(".//h:sequence/h:value", space)
        assert [v.get(kind) for v in values] == ["GLIST_PQ"] + ["SLIST_PQ"] * (len(values) - 1)
        assert [etree.QName(one).localname for one in values[1]] == ["origin", "scale", "digits"]
        assert root.find("h:effectiveTime/h:low", space).get("value")
        assert len({len(v.find("h:digits", space).text.split()) for v in values[1:]}) == 1
        assert "monitor 0.5-40 Hz" in "".join(root.itertext())
