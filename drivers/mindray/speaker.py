"""Who speaks, for whom and where: the monitor, its patient page, its bed; and whether it is still the same.

An eGateway sends what many beds say over one connection. Who is heard is the bed of the driver's option `bed` (PV1-3
as it is sent, or its beginning), or else the only one there is: where a second monitor speaks, nothing is told any
more, since nobody could say whose it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from drivers.contract import DeviceTime, Identity, Output, PatientId, Phase, Status
from drivers.hl7.messages import Message
from drivers.moments import existing

MEDICAL_RECORD = "2301"  # what the monitor's page calls the patient's number, in PDS


def moment(text: str) -> str:
    """YYYYMMDDHHMMSS, whatever follows, as ISO text without a zone; empty for none."""
    found = re.match(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", text, re.ASCII)
    return existing("{}-{}-{}T{}:{}:{}".format(*found.groups())) if found else ""


class Speaker:
    def __init__(self, bed: str) -> None:
        self._bed = bed
        self._device = self._place = ""
        self._is_mixed = False
        self._identity = Identity()
        self._patient = PatientId("")
        self._location = self._time = ""

    def is_ours(self, message: Message) -> bool:
        """Whether the message is of the one monitor that is heard here."""
        place, device = _place(message), _device(message)
        if self._bed:
            return place == self._bed or place.startswith(f"{self._bed}^")
        known, said = (self._device, device) if device and self._device else (self._place, place)
        if known and said and known != said and (not device or self._device):
            self._is_mixed = True
        self._device, self._place = self._device or device, self._place or place
        return not self._is_mixed

    def mixed(self) -> Status | None:
        """That several beds speak here, said when it is found."""
        if not self._is_mixed or self._location == "several":
            return None
        self._location = "several"
        return Status("several-beds", Phase.ON, "name one with the option bed")

    def introduced(self, message: Message, is_pds: bool) -> Iterator[Output]:
        """What changed since the last message."""
        time = moment(message.header.field(7))
        if time and time != self._time:
            self._time = time
            yield DeviceTime(time)
        who = _identity(message, is_pds)
        if who is not None and who != self._identity:
            self._identity = who
            yield who
        patient = _patient(message)
        if patient is not None and patient != self._patient:
            self._patient = patient
            yield patient
        place = _place(message)
        if place and place != self._location:
            self._location = place
            yield Status("location", Phase.ON, place)


def _place(message: Message) -> str:
    visit = message.first("PV1")
    return visit.field(3) if visit else ""


def _device(message: Message) -> str:
    """The monitor's number: OBX-18, or who sends, where that is no gateway."""
    said = next((obx.part(18, 1) for obx in message.all("OBX") if obx.part(18, 1)), "")
    if said or "GATEWAY" in message.header.part(3, 1).upper():
        return said
    return message.header.part(3, 2)


def _identity(message: Message, is_pds: bool) -> Identity | None:
    if is_pds:
        request = message.first("OBR")
        return Identity("Mindray", request.text(4)) if request and request.field(4) else None
    named = message.header.field(3).upper() + message.header.field(4).upper()
    model = next((obx.part(18, 2) for obx in message.all("OBX") if obx.part(18, 1)), "")
    serial = _device(message)
    return Identity("Mindray" if "MINDRAY" in named else "", model, serial) if serial else None


def _patient(message: Message) -> PatientId | None:
    """None where the message has no patient segment."""
    page = message.first("PID")
    if page is None:
        return None
    record = next((obx.text(5) for obx in message.all("OBX") if obx.part(3, 1) == MEDICAL_RECORD), "")
    numbers = [one for one in page.repeated(3) if one[0]]
    medical = next((one[0] for one in numbers if "MR" in one[4:5]), "")
    name = " ".join(part for part in page.parts(5)[:2] if part)
    return PatientId(record or medical or (numbers[0][0] if numbers else ""), name)
