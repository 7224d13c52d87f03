"""Waves: sub-records of samples.

    samples u16 · status u16 (bit 0 gap in sampling, 2 pacer detected, 3 lead off) · label u16 · samples i16

A sample of -32000 or below is a control code and no measurement. The sub-record's status is about all of its samples:
where in it a gap or a pacer pulse lies is not said.
Source: Datex-Ohmeda Record Specification 8005313 rev. 12, section 5. Types 22 (12 leads, a header of its own), 24, 29,
35 and 39 are not read: their unit or form is not in the documents at hand.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction

from drivers.contract import Mark, Scale, Wave
from drivers.ge.groups import PRESSURES
from drivers.ge.numerics import Sites, own

HEADER = struct.Struct("<HHH")
CONTROL_LIMIT = -32000
STATUS = ((0x0001, "gap"), (0x0004, "pacer-detected"), (0x0008, "lead-off"))
PRESSURE_GROUPS = {
    **{4 + at: f"p{1 + at}" for at in range(4)},
    **{16 + at: f"p{5 + at}" for at in range(2)},
    **{36 + at: f"p{7 + at}" for at in range(2)},
}


def _scale(rate: int, unit: str, parts: int = 1) -> Scale:
    return Scale(Fraction(rate), unit, Fraction(1, parts), bits=16)


_GAS, _EEG = _scale(25, "%", 100), _scale(100, "uV", 10)
_ECG, _PRESSURE = _scale(300, "uV"), _scale(100, "mm[Hg]", 100)
KINDS: dict[int, tuple[str, Scale]] = {
    1: ("ecg.unspecified", _ECG),
    2: (own("ECG2"), _ECG),
    3: (own("ECG3"), _ECG),
    **{at: (own(f"INVP{group[1:]}"), _PRESSURE) for at, group in PRESSURE_GROUPS.items()},
    8: ("pleth", _scale(100, "%", 100)),
    9: ("co2.wave", _GAS),
    10: (own("O2"), _GAS),
    11: (own("N2O"), _GAS),
    12: (own("AA"), _GAS),
    13: (own("AWP"), _scale(25, "cm[H2O]", 10)),
    14: (own("FLOW"), _scale(25, "L/min", 10)),
    15: ("resp.impedance", _scale(25, "Ohm", 100)),
    **{17 + at: (own(f"EEG{at}"), _EEG) for at in (1, 2, 3, 4)},
    23: (own("VOL"), _scale(25, "mL")),
    32: (own("ENT"), _EEG),
    38: (own("PLETH2"), _scale(100, "%", 100)),
}


def runs(samples: tuple[int, ...]) -> Iterator[Mark]:
    """Where the control codes stand."""
    if min(samples) > CONTROL_LIMIT:
        return
    start = None
    for at, sample in enumerate((*samples, 0)):
        if sample <= CONTROL_LIMIT and start is None:
            start = at
        elif sample > CONTROL_LIMIT and start is not None:
            yield Mark(start, "invalid", at - start)
            start = None


class Collected:
    """The waves of one chunk, joined by channel and scale."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._samples: dict[tuple[str, Scale], list[int]] = {}
        self._marks: dict[tuple[str, Scale], list[Mark]] = {}

    def add(self, kind: int, data: bytes) -> bool:
        """Take a sub-record in; False where it is none we can read."""
        if kind not in KINDS or len(data) < HEADER.size:
            return False
        count, status, _ = HEADER.unpack_from(data)
        if count > (len(data) - HEADER.size) // 2:
            return False
        if count == 0:
            return True
        samples = struct.unpack_from(f"<{count}h", data, HEADER.size)
        key = (self._channel(kind), KINDS[kind][1])
        before = self._samples.setdefault(key, [])
        marks = [Mark(0, name, count) for bit, name in STATUS if status & bit]
        shifted = (Mark(len(before) + mark.at, mark.kind, mark.count) for mark in (*marks, *runs(samples)))
        self._marks.setdefault(key, []).extend(shifted)
        before.extend(samples)
        return True

    def waves(self) -> Iterator[Wave]:
        for key, samples in self._samples.items():
            yield Wave(key[0], tuple(samples), key[1], marks=tuple(self._marks[key]))

    def _channel(self, kind: int) -> str:
        """A pressure has the name of its site as the numerics last told it."""
        site = self._sites.held(PRESSURE_GROUPS.get(kind, ""))
        named = PRESSURES[site][3] if site in PRESSURES else ""
        return named or KINDS[kind][0]
