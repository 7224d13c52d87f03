"""Exports read back by the field's own readers: pieces of (channel, first index, integers)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from tests.exports.compare import Piece
from tests.exports.field import load


def contexts(folder: Path) -> Iterator[dict]:
    """The JSON beside each strip, with its name as `name`."""
    for path in sorted(folder.glob("*.json")):
        said = json.loads(path.read_text())
        if "segments" in said:
            yield {"name": path.stem, **said}


def wfdb(folder: Path) -> Iterator[Piece]:
    """By the package of PhysioNet; what it takes for no sample is none."""
    package = load("wfdb")

    for said in contexts(folder):
        record = package.rdrecord(str(folder / said["name"]), physical=False, return_res=64)
        for row, stream in enumerate(said["streams"]):
            none = -(1 << int(record.fmt[row]) % 500 - 1)
            yield from runs(record.sig_name[row], said["first"], record.d_signal[:, row].astype(np.int64), none)
            assert record.sig_name[row] == stream["channel"]


def runs(channel: str, first: int, values: np.ndarray, none: int) -> Iterator[Piece]:
    there = np.concatenate([[0], (values != none).astype(np.int8), [0]])
    for start, stop in np.flatnonzero(np.diff(there)).reshape(-1, 2).tolist():
        yield channel, first + start, values[start:stop]


def edf(folder: Path) -> Iterator[Piece]:
    """By MNE, and where it is continuous by EDFlib (pyedflib) too; where each record was comes from its onset."""
    for said in contexts(folder):
        for path in sorted(folder.glob(f"{said['name']}*.edf")):
            head, onsets, length = edf_layout(path)
            signals = by_mne(path)
            if "EDF+C" in head:
                agree(signals, edflib(path))
            begun = datetime.strptime(head[168:184], "%d.%m.%y%H.%M.%S").replace(tzinfo=UTC)
            base = said["start"]["utc"]
            seconds = Fraction(0) if base is None else Fraction(round(begun.timestamp() * 1e6) - base, 1_000_000)
            rate = Fraction(*said["rate_hz"])
            names = {label_of(s): s["channel"] for s in said["streams"]}
            for label, values in signals:
                for number, onset in enumerate(onsets):
                    first = said["first"] + round((onset + seconds) * rate)
                    yield names[label], first, values[number * length : (number + 1) * length]


def agree(ours: list[tuple[str, np.ndarray]], theirs: list[tuple[str, np.ndarray]]) -> None:
    """Two readers of one file read the same."""
    for (name, values), (other, read) in zip(ours, theirs, strict=True):
        assert name == other, (name, other)
        assert np.array_equal(values, read), f"{name} is read in two ways"


def label_of(stream: dict) -> str:
    """As EDF's headers name it."""
    from centre.export.edf import label
    from tests.exports.rig import stream_of

    return label(stream_of(stream)).strip()


def edflib(path: Path) -> list[tuple[str, np.ndarray]]:
    with load("pyedflib").EdfReader(str(path)) as reader:
        return [
            (reader.getLabel(row).strip(), reader.readSignal(row, digital=True))
            for row in range(reader.signals_in_file)
        ]


def by_mne(path: Path) -> list[tuple[str, np.ndarray]]:
    """MNE gives values; the counts are found again by its own calibration."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = load("mne").io.read_raw_edf(path, preload=True, verbose="error", infer_types=False)
    extras = raw._raw_extras[0]
    gains = np.asarray(extras["cal"]) * np.asarray(extras["units"])
    values = raw.get_data()
    offsets = np.asarray(extras["offsets"]) * np.asarray(extras["units"])
    return [
        (name.strip(), np.rint((values[row] - offsets[row]) / gains[row]).astype(np.int64))
        for row, name in enumerate(raw.ch_names)
    ]


def edf_layout(path: Path) -> tuple[str, list[Fraction], int]:
    """The head, the onset of each record, and the samples of a record: read by the words of the specification."""
    data = path.read_bytes()
    head = data[:256].decode("ascii")
    signals, count = int(head[252:256]), int(head[236:244])
    lengths = [int(data[256 + 216 * signals + 8 * s :][:8]) for s in range(signals)]
    size, at = 2 * sum(lengths), int(head[184:192])
    assert len(data) == at + count * size
    places = [at + number * size + 2 * sum(lengths[:-1]) for number in range(count)]
    onsets = [Fraction(data[place : data.index(b"\x14", place)].decode()) for place in places]
    return head, onsets, lengths[0]


def parquet(folder: Path) -> Iterator[Piece]:
    """By pyarrow."""
    tables = load("pyarrow.parquet")
    for said in contexts(folder):
        yield from columns(tables.read_table(folder / f"{said['name']}.parquet"), said)


def csv(folder: Path) -> Iterator[Piece]:
    """By pandas."""
    pandas = load("pandas")
    for said in contexts(folder):
        frame = pandas.read_csv(folder / f"{said['name']}.csv")
        for stream in said["streams"]:
            yield from by_index(
                stream["channel"], frame["index"].to_numpy(), frame[stream["channel"]].to_numpy(np.float64)
            )


def columns(table, said: dict) -> Iterator[Piece]:
    index = table.column("index").to_numpy()
    for stream in said["streams"]:
        yield from by_index(stream["channel"], index, table.column(stream["channel"]).to_numpy().astype(np.float64))


def by_index(channel: str, index: np.ndarray, values: np.ndarray) -> Iterator[Piece]:
    """float64 holds each int32; NaN is absent."""
    there = ~np.isnan(values)
    index, values = index[there], values[there].astype(np.int64)
    starts = [0, *(np.flatnonzero(np.diff(index) != 1) + 1).tolist(), len(index)]
    for start, stop in pairwise(starts):
        if start < stop:
            yield channel, int(index[start]), values[start:stop]


def fhir(folder: Path, package: str = "fhir.resources.R4B") -> Iterator[Piece]:
    """By the models of fhir.resources, which check every resource; the name of an Observation says where it begins."""
    for path in sorted(folder.glob("*.ndjson")):
        for line in path.read_text().splitlines():
            said = json.loads(line)
            one = model(package, said["resourceType"]).model_validate_json(line)
            if said["resourceType"] == "Observation" and "-w" in said["id"]:
                first = int(said["id"].rsplit("-", 2)[1])
                parts = one.component or [one]
                for part in parts:
                    data = part.valueSampledData.data
                    yield part.code.text, first, np.array([int(word) for word in data.split()], np.int64)


def model(package: str, kind: str):
    return getattr(load(f"{package}.{kind.lower()}"), kind)


def fhir_r5(folder: Path) -> Iterator[Piece]:
    return fhir(folder, "fhir.resources")


def hl7(folder: Path) -> Iterator[Piece]:
    """By python-hl7; each message is also taken apart by hl7apy."""
    package = load("hl7")
    for path in sorted(folder.glob("*.hl7")):
        for said in messages(path):
            lines = package.parse(said)
            for line in lines.segments("OBX"):
                if str(line[2]) == "NA":
                    place = str(line[4])
                    first = next(o for o in lines.segments("OBX") if str(o[4]) == f"{place}.1")
                    values = [int(word) for word in str(line[5]).split("^")]
                    yield channel_of(line), int(str(first[5])), np.array(values, np.int64)


def channel_of(line) -> str:
    from drivers import vocabulary

    said = line[3][0]
    return str(said[0][0]) if str(said[2][0]) != "MDC" else vocabulary.channel_of(int(str(said[0][0])))


def messages(path: Path) -> list[str]:
    return [f"MSH|{said}" for said in path.read_bytes().decode().split("MSH|")[1:]]


def dicom(folder: Path) -> Iterator[Piece]:
    """By pydicom; where an instance begins comes from its Acquisition DateTime."""
    package = load("pydicom")
    for said in contexts(folder):
        rate = Fraction(*said["rate_hz"])
        for path in sorted(folder.glob(f"{said['name']}-*.dcm")):
            one = package.dcmread(path)
            begun = datetime.strptime(one.AcquisitionDateTime, "%Y%m%d%H%M%S.%f%z")
            micros = round((begun - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6) - said["start"]["utc"]
            first = said["first"] + round(micros * rate / 1_000_000)
            (group,) = one.WaveformSequence
            values = np.frombuffer(group.WaveformData, "<i2").reshape(group.NumberOfWaveformSamples, -1)
            for row, channel in enumerate(group.ChannelDefinitionSequence):
                yield channel.ChannelLabel, first, values[:, row].astype(np.int64)


def aecg(folder: Path) -> Iterator[Piece]:
    """By lxml, by the structure of the implementation guide: no schema is to be had."""
    etree = load("lxml.etree")
    space = {"h": "urn:hl7-org:v3"}
    for said in contexts(folder):
        rate = Fraction(*said["rate_hz"])
        leads = {f"MDC_ECG_LEAD_{s['channel'].partition('.')[2].upper()}": s["channel"] for s in said["streams"]}
        leads["MDC_ECG_LEAD"] = "ecg.unspecified"
        for path in sorted(folder.glob(f"{said['name']}-*.xml")):
            tree = etree.parse(path, etree.XMLParser(huge_tree=True))
            for series in tree.iterfind("h:component/h:series", space):
                timed, *rows = series.iterfind("h:component/h:sequenceSet/h:component/h:sequence", space)
                begun = datetime.strptime(timed.find("h:value/h:head", space).get("value"), "%Y%m%d%H%M%S.%f%z")
                micros = round((begun - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6) - said["start"]["utc"]
                first = said["first"] + round(micros * rate / 1_000_000)
                for row in rows:
                    digits = row.find("h:value/h:digits", space).text.split()
                    yield leads[row.find("h:code", space).get("code")], first, np.array(digits, np.int64)
