"""Real records as what a device said: the integers as their makers stored them, by the field's own readers.

What is no record of its own (a list of segments, whose parts have headers) is left out; so is what has no integers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.exports.field import load
from tests.exports.rig import Truth

LEADS = {"MLII": "ecg.ii", "MLIII": "ecg.iii", "ECG": "ecg.unspecified", "MCL1": "ecg.v1"}
UNITS = {"NU": "1", "mmHg": "mm[Hg]", "pm": "1"}
DEFAULT_GAIN = 200


def records(folder: Path) -> Iterator[Truth]:
    for header in sorted(folder.rglob("*.hea")):
        if "/" not in header.read_text().split(None, 1)[0]:
            yield from of_wfdb(header)
    for path in sorted(folder.rglob("*.dcm")):
        yield from of_dicom(path)
    for path in sorted(folder.rglob("ecg_hl7.xml")):
        yield of_aecg(path)
    yield from of_text(folder)


def channel(name: str, taken: list[str]) -> str:
    """A lead by our key, all else by the maker's label; none twice."""
    word = name.strip().lower().removeprefix("lead ").split(" ")[0]
    known = LEADS.get(name.strip(), f"ecg.{word}")
    codes = {f"ecg.{lead}" for lead in ("i", "ii", "iii", "avr", "avl", "avf", *(f"v{n}" for n in range(1, 7)))}
    said = known if known in codes | {"ecg.unspecified"} else f"record:{re.sub(r'[^A-Za-z0-9]', '', name)}"
    return said if said not in taken else f"record:{re.sub(r'[^A-Za-z0-9]', '', name)}{len(taken)}"


def made(
    name: str, rate: Fraction, lines: list[np.ndarray], names: list[str], scale: list[tuple[str, Fraction, int]]
) -> Truth:
    channels: list[str] = []
    for one in names:
        channels.append(channel(one, channels))
    units, gains, offsets = (list(column) for column in zip(*scale, strict=True))
    units = [UNITS.get(unit, unit) for unit in units]
    return Truth(name, rate, np.array(lines, np.int32), channels, units, gains, offsets)


def of_wfdb(header: Path) -> Iterator[Truth]:
    """A truth for each rate; an invalid sample is a sample: what a format says of it is no matter of the wire's."""
    package = load("wfdb")
    name = str(header.with_suffix(""))
    here = [row for row, file in enumerate(package.rdheader(name).file_name) if (header.parent / file).is_file()]
    record = package.rdrecord(name, physical=False, smooth_frames=False, return_res=32, channels=here)
    frame = Fraction(str(record.fs)).limit_denominator(100_000)
    for per_frame in sorted(set(record.samps_per_frame)):
        rows = [row for row, count in enumerate(record.samps_per_frame) if count == per_frame]
        lines = [np.asarray(record.e_d_signal[row]) for row in rows]
        gains = [Fraction(str(record.adc_gain[row] or DEFAULT_GAIN)) for row in rows]
        scale = [
            (record.units[row], 1 / gain, int(record.baseline[row])) for row, gain in zip(rows, gains, strict=True)
        ]
        names = [record.sig_name[row] or f"signal{row}" for row in rows]
        yield made(f"{header.stem}@{float(frame * per_frame):g}", frame * per_frame, lines, names, scale)


def of_dicom(path: Path) -> Iterator[Truth]:
    for number, group in enumerate(load("pydicom").dcmread(path).WaveformSequence):
        values = np.frombuffer(group.WaveformData, "<i2").reshape(-1, group.NumberOfWaveformChannels).T
        names, scale = [], []
        for one in group.ChannelDefinitionSequence:
            names.append(one.ChannelSourceSequence[0].CodeMeaning.split(" (")[0])
            unit = one.ChannelSensitivityUnitsSequence[0].CodeValue
            scale.append((unit, Fraction(str(one.ChannelSensitivity)), 0))
        yield made(f"{path.stem}#{number}", Fraction(str(group.SamplingFrequency)), list(values), names, scale)


def of_aecg(path: Path) -> Truth:
    tree = load("lxml.etree").parse(path)
    space = {"h": "urn:hl7-org:v3"}
    series = tree.find("h:component/h:series", space)
    timed, *rows = series.iterfind("h:component/h:sequenceSet/h:component/h:sequence", space)
    lines, names, scale = [], [], []
    for row in rows:
        names.append(row.find("h:code", space).get("code").removeprefix("MDC_ECG_LEAD_"))
        lines.append(np.array(row.find("h:value/h:digits", space).text.split(), np.int32))
        factor = row.find("h:value/h:scale", space)
        scale.append((factor.get("unit"), Fraction(factor.get("value")), 0))
    rate = 1 / Fraction(timed.find("h:value/h:increment", space).get("value"))
    return made(path.stem, rate, lines, names, scale)


def of_text(folder: Path) -> Iterator[Truth]:
    """The counts of converters in columns of text."""
    for path in sorted(folder.rglob("biosppy_*.txt")):
        values = np.loadtxt(path, comments="#", ndmin=2)[:, -1]
        if np.array_equal(values, np.rint(values)):
            yield made(path.stem, Fraction(1000), [values.astype(np.int32)], [path.stem], [("1", Fraction(1), 0)])
    for path in sorted(folder.rglob("SampleECG.txt")):
        values = np.loadtxt(path, comments="#", ndmin=2)[:, -1]
        yield made(path.stem, Fraction(1000), [values.astype(np.int32)], ["ECG"], [("1", Fraction(1), 0)])
    for path in sorted(folder.rglob("ecg.dat")):  # of scipy: an archive of numpy
        values = np.load(path)["ecg"].astype(np.int32)
        yield made("scipy_ecg", Fraction(360), [values], ["MLII"], [("mV", Fraction(1, 200), 1024)])
    for path in sorted(folder.rglob("ppg.npy")):
        values = np.load(path)
        if np.array_equal(values, np.rint(values)):
            yield made(path.stem, Fraction(75), [values.ravel().astype(np.int32)], ["ppg"], [("1", Fraction(1), 0)])
