"""Numerics: physiological sub-records turned into readings and states.

    time u32 · 270 bytes of groups · marker u8 · reserved u8 · class u16, its number in bits 8-11

A value is told if its module is there; where the module does not measure, it is absent. What is told no longer (a
module was pulled, a label changed) is said to be unavailable once, so that no old value is left standing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from decimal import Decimal

from drivers.contract import Numeric, Output, Phase, Status, Why
from drivers.ge.groups import (
    CLASS_BYTES,
    CLASSES,
    HEADER_BYTES,
    PRESSURES,
    TEMPERATURES,
    Field,
    Group,
)

DRIVER_ID = "ge_s5"
SUBRECORD_BYTES = 4 + CLASS_BYTES + 4
_GROUP_HEADER = struct.Struct("<IH")
EXISTS, ACTIVE = 0x1, 0x2
UNREADY = frozenset(("calibrating", "zeroing"))  # states in which a value is not the patient's

SPECIAL_LIMIT = -32001  # this and all below are no measurement
SPECIAL = {
    -32767: Why.INVALID,  # there is no valid data
    -32766: Why.NOT_UPDATED,
    -32765: Why.CALIBRATING,  # discontinuity
    -32764: Why.UNDER,
    -32763: Why.OVER,
    -32762: Why.INVALID,  # not calibrated
}
ECG_SOURCES = (1, 9)  # the ECG module, the 12-lead analysis
HR_SOURCES = (*("not selected", "ECG", "P1", "P2", "P3", "P4", "SpO2", "P5", "P6", "ECG 12", "P7", "P8", "SpO2 2"),)


def own(name: str) -> str:
    return f"{DRIVER_ID}:{name}"


def reading(channel: str, field: Field, raw: int, doubt: Why | None = None) -> Numeric:
    """What `raw` says; `doubt` where the device says the value is not the patient's now."""
    if raw <= SPECIAL_LIMIT:
        return Numeric(channel, None, field.unit, SPECIAL.get(raw, Why.INVALID))
    return Numeric(channel, Decimal(raw).scaleb(-field.digits) if field.digits else raw, field.unit, doubt)


class Sites:
    """Which group holds which name of the vocabulary: labels are free, and two inputs may carry the same one."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}
        self._holders: dict[str, str] = {}

    def label(self, group: str, label: str) -> None:
        """`group` is labelled so; empty where its module is gone. The first group with a label has its name."""
        before = self._labels.get(group, "")
        if before != label and self._holders.get(before) == group:
            del self._holders[before]
        self._labels[group] = label
        if label:
            self._holders.setdefault(label, group)

    def held(self, group: str) -> str:
        """The label, if `group` is the one that holds its name."""
        label = self._labels.get(group, "")
        return label if label and self._holders.get(label) == group else ""


class Numerics:
    """Reads sub-records of displayed values and remembers what was told."""

    def __init__(self) -> None:
        self.sites = Sites()
        self._told: dict[int, dict[str, str]] = {}  # by class: unit by channel
        self._states: dict[tuple[str, str], str] = {}

    def said(self, data: bytes) -> Iterator[Output]:
        """All a sub-record says; nothing where its class is none of ours."""
        number = data[SUBRECORD_BYTES - 1] & 0x0F
        if number not in CLASSES:
            return
        now: dict[str, str] = {}
        for output in self._groups(CLASSES[number], data[4:]):
            if isinstance(output, Numeric):
                now[output.channel] = output.unit
            yield output
        for channel, unit in self._told.get(number, {}).items():
            if channel not in now:
                yield Numeric(channel, None, unit, Why.UNAVAILABLE)
        self._told[number] = now

    def _groups(self, groups: tuple[Group, ...], data: bytes) -> Iterator[Output]:
        at = 0
        first, _ = _GROUP_HEADER.unpack_from(data)
        for group in groups:
            if group.kind == "extra":
                yield from self._group(group, first, 0, data[at:])
            elif group.name:
                status, label = _GROUP_HEADER.unpack_from(data, at)
                yield from self._group(group, status, label, data[at + HEADER_BYTES :])
            at += group.size

    def _group(self, group: Group, status: int, label: int, body: bytes) -> Iterator[Output]:
        there = bool(status & EXISTS)
        yield from self._told_states(group, status if there else 0, label if there else 0)
        if not there:
            return
        named = (*((status, *state) for state in group.states), *((label, *mark) for mark in group.marks))
        doubt = Why.CALIBRATING if any(bits >> bit & 1 and name in UNREADY for bits, bit, name in named) else None
        for at, field in enumerate(group.fields):
            if not field.name:
                continue
            channel = self._channel(group, field, at, status, label)
            if status & ACTIVE:
                yield reading(channel, field, struct.unpack_from("<h", body, 2 * at)[0], doubt)
            else:
                yield Numeric(channel, None, field.unit, Why.UNAVAILABLE)

    def _told_states(self, group: Group, status: int, label: int) -> Iterator[Output]:
        """States that began or ended, and texts that changed, since this group last told them."""
        channel = own(group.name)
        for bits, names in ((status, group.states), (label, group.marks)):
            for bit, name in names:
                yield from self._state(name, channel, bool(bits >> bit & 1))
        if group.labels:
            text = group.labels[label] if label < len(group.labels) else f"label {label}"
            text = text if status else ""
            if group.kind in ("p", "t"):
                self.sites.label(group.name, text)
            yield from self._text("label", channel, text)
        if group.kind == "ecg":
            source = status >> 3 & 0x0F
            name = HR_SOURCES[source] if source < len(HR_SOURCES) else f"source {source}"
            yield from self._text("hr-source", channel, name if status else "")
            yield from self._text("label", channel, f"{label:04X}" if status else "")

    def _state(self, name: str, channel: str, on: bool) -> Iterator[Status]:
        if on != bool(self._states.get((name, channel))):
            self._states[name, channel] = "on" if on else ""
            yield Status(name, Phase.ON if on else Phase.OFF, channel=channel)

    def _text(self, name: str, channel: str, text: str) -> Iterator[Status]:
        before = self._states.get((name, channel), "")
        if text != before:
            self._states[name, channel] = text
            yield Status(name, Phase.ON if text else Phase.OFF, text, channel)

    def _channel(self, group: Group, field: Field, at: int, status: int, label: int) -> str:
        if group.kind == "ecg" and field.name == "hr":
            return "ecg.hr" if status >> 3 & 0x0F in ECG_SOURCES else "pulse.generic"
        if group.kind == "co2" and field.name == "rr":
            return "resp.rr_co2" if label & 0x7 == 1 else "resp.rr"
        name = field.channel
        if group.kind == "p" and at < 3:
            name = PRESSURES.get(self.sites.held(group.name), ("", "", ""))[at]
        elif group.kind == "t":
            name = TEMPERATURES.get(self.sites.held(group.name), "")
        return name or own(f"{group.name}.{field.name}")
