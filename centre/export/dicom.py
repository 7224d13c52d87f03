"""DICOM: 12-lead ECG where it is ten seconds of twelve leads, else General ECG; one multiplex group an instance.

Source: PS3.3 A.34.3 and A.34.4 (2024e): at most 13 and 24 channels, 200 to 1000 Hz, 16 bits, 16384 samples of a 12-lead
ECG; C.10.9 Waveform, C.10.10 Annotation; CID 3001 leads by MDC. A gap is between two instances: each has its own
Acquisition DateTime, so where no clock vouches for an instant nothing is exported. UIDs are made of the
names of what they hold: the same samples have the same UID.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from io import BytesIO
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from centre import clock, rows
from centre.export import context, ecg, samples
from centre.export.archive import Archive
from centre.export.decimals import exact
from centre.export.deliver import Member
from centre.export.ecg import Piece
from centre.export.plan import Plan, RefusedError, Strip, patient

TWELVE, GENERAL = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.840.10008.5.1.4.1.1.9.1.2"
TWELVE_LIMIT_SAMPLES = 16384
GENERAL_LIMIT_CHANNELS = 24
RATES_HZ = (200, 1000)
UTC_FRAME = "1.2.840.10008.15.1.1"
TEXT_LIMIT_CHARS = 1024
DS_CHARS = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HINT = "wfdb, edf, csv or parquet"
_ROADS = {"ntp": "NTP", "gnss": "GPS"}


def members(archive: Archive, plan: Plan) -> Iterator[Member]:
    """An instance for each segment, at most ten minutes long."""
    return ecg.members(archive, plan, _check, _instance)


def _check(archive: Archive, strip: Strip) -> None:
    rate = strip.streams[0].rate
    if not RATES_HZ[0] <= rate <= RATES_HZ[1] or not exact(rate, DS_CHARS):
        raise RefusedError(f"DICOM has no ECG of {rate} Hz (200 to 1000)", _HINT)
    if strip.moment(strip.first).utc is None:
        raise RefusedError("DICOM needs an instant, and no clock vouches for one", _HINT)
    if len(strip.streams) > GENERAL_LIMIT_CHANNELS:
        raise RefusedError(f"{len(strip.streams)} leads (DICOM has room for {GENERAL_LIMIT_CHANNELS})", _HINT)
    for stream in strip.streams:
        _decimal(stream.gain, stream)
        _decimal(-stream.offset * stream.gain, stream)
    for stream, found in zip(strip.streams, samples.ranges(archive, strip), strict=True):
        if found.least < -(1 << 15) or found.most >= 1 << 15:
            raise RefusedError(f"{stream.channel} has samples of more than 16 bits", _HINT)


def _decimal(value: Fraction, stream: rows.Stream) -> str:
    text = exact(value, DS_CHARS)
    if not text:
        raise RefusedError(f"the scale of {stream.channel} ({stream.gain}) is no decimal of 16 characters", _HINT)
    return text


def _instance(piece: Piece) -> Iterator[Member]:
    utc = piece.strip.moment(piece.first).utc
    if utc is None:
        raise RefusedError("DICOM needs an instant, and no clock vouches for one", _HINT)
    made = _dataset(piece, _EPOCH + timedelta(microseconds=utc))
    file = BytesIO()
    made.save_as(file, enforce_file_format=True)
    yield Member(f"{piece.name}.dcm", [file.getvalue()])


def is_twelve(piece: Piece) -> bool:
    """Whether it is what DICOM calls a 12-lead ECG."""
    words = [ecg.lead(s) for s in piece.streams]
    return sorted(words) == sorted(ecg.LEADS) and piece.values.shape[1] <= TWELVE_LIMIT_SAMPLES


def _uid(name: str) -> str:
    return f"2.25.{uuid5(NAMESPACE_URL, f'urn:wardlink:{name}').int}"


def _dataset(piece: Piece, begun: datetime) -> Dataset:
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = TWELVE if is_twelve(piece) else GENERAL
    one.SOPInstanceUID = _uid(f"{piece.name}-{piece.rows}-{piece.values.shape[1]}")
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    _say_whose(one, piece, begun)
    _say_when(one, piece, begun)
    one.AcquisitionContextSequence = Sequence()
    one.WaveformAnnotationSequence = Sequence([_noted(text, len(piece.rows)) for text in context.lines(piece.strip)])
    one.WaveformSequence = Sequence([_group(piece)])
    return one


def _say_whose(one: Dataset, piece: Piece, begun: datetime) -> None:
    """Patient, study, series, equipment. A name, a birth date and a sex are never known here."""
    strip, stream = piece.strip, piece.streams[0]
    one.SpecificCharacterSet = "ISO_IR 192"
    one.PatientName, one.PatientBirthDate, one.PatientSex = "", "", ""
    one.PatientID = context.ascii_only(patient(strip.bound))[:64]
    one.StudyInstanceUID = _uid(f"study {strip.gateway} {strip.epoch} {patient(strip.bound)}")
    one.SeriesInstanceUID = _uid(f"series {strip.name}")
    one.StudyDate, one.StudyTime = f"{begun:%Y%m%d}", f"{begun:%H%M%S.%f}"
    one.ReferringPhysicianName, one.StudyID, one.AccessionNumber = "", str(strip.epoch)[:16], ""
    one.Modality, one.SeriesNumber, one.InstanceNumber = "ECG", str(strip.part + 1), str(piece.first + 1)
    one.Manufacturer = _words(stream.maker)
    one.ManufacturerModelName, one.DeviceSerialNumber = _words(stream.model), _words(stream.serial)
    one.SoftwareVersions = _words(stream.firmware) or "unknown"


def _words(text: str) -> str:
    return context.ascii_only(text).replace("\\", "/").strip()[:64]


def _say_when(one: Dataset, piece: Piece, begun: datetime) -> None:
    known = piece.strip.moment(piece.first)
    source = piece.strip.mapping.source(piece.strip.pace.sample_t(piece.first))
    one.TimezoneOffsetFromUTC = "+0000"
    one.ContentDate, one.ContentTime = f"{begun:%Y%m%d}", f"{begun:%H%M%S.%f}"
    one.AcquisitionDateTime = f"{begun:%Y%m%d%H%M%S.%f}+0000"
    one.SynchronizationFrameOfReferenceUID = UTC_FRAME
    one.SynchronizationTrigger = "NO TRIGGER"
    one.AcquisitionTimeSynchronized = "Y" if known.grade in ("A", "B") else "N"
    if source in _ROADS:
        one.TimeDistributionProtocol = _ROADS[source]
    made = _EPOCH + timedelta(microseconds=clock.utc_us())
    one.InstanceCreationDate, one.InstanceCreationTime = f"{made:%Y%m%d}", f"{made:%H%M%S}"


def _noted(text: str, channels: int) -> Dataset:
    one = Dataset()
    one.UnformattedTextValue = text[:TEXT_LIMIT_CHARS]
    one.ReferencedWaveformChannels = [number for channel in range(channels) for number in (1, channel + 1)]
    return one


def _group(piece: Piece) -> Dataset:
    one = Dataset()
    one.WaveformOriginality = "ORIGINAL"
    one.NumberOfWaveformChannels, one.NumberOfWaveformSamples = piece.values.shape
    one.SamplingFrequency = exact(piece.strip.streams[0].rate, DS_CHARS)
    one.MultiplexGroupLabel = "RHYTHM"
    one.ChannelDefinitionSequence = Sequence([_channel(s, row) for row, s in enumerate(piece.streams)])
    one.WaveformBitsAllocated, one.WaveformSampleInterpretation = 16, "SS"
    one.add_new("WaveformData", "OW", piece.values.T.astype("<i2").tobytes())
    return one


def _channel(stream: rows.Stream, row: int) -> Dataset:
    one = Dataset()
    word = ecg.lead(stream)
    one.WaveformChannelNumber = row + 1
    one.ChannelLabel = _words(stream.channel)[:16]
    meaning = "Unspecified lead" if word == "unspecified" else f"Lead {ecg.NAMES.get(word, word.upper())}"
    one.ChannelSourceSequence = Sequence([_coded(f"2:{ecg.TERMS[word]}", "MDC", meaning)])
    one.ChannelSensitivity = _decimal(stream.gain, stream)
    one.ChannelSensitivityUnitsSequence = Sequence([_coded(stream.unit, "UCUM", stream.unit)])
    one.ChannelSensitivityCorrectionFactor = "1"
    one.ChannelBaseline = _decimal(-stream.offset * stream.gain, stream)
    one.ChannelSampleSkew = "0"
    one.WaveformBitsStored = 16
    low, high = ecg.band(stream)
    if low:
        one.FilterLowFrequency, one.FilterHighFrequency = low, high
    if ecg.notch(stream):
        one.NotchFilterFrequency = ecg.notch(stream)
    return one


def _coded(value: str, scheme: str, meaning: str) -> Any:
    one = Dataset()
    one.CodeValue, one.CodingSchemeDesignator, one.CodeMeaning = _words(value)[:16], scheme, _words(meaning)
    return one
