"""How well times are known, in FHIR R4 and the codes of IEEE 11073-10101: pure functions.

Source: HL7 Personal Health Device Implementation Guide 2.0.0 (PHG Device profile, Coincident Time Stamp, value set MDC
Time Synchronization Methods). A gateway's Device carries MDC_TIME_SYNC_PROTOCOL and, where its error is known,
MDC_TIME_SYNC_ACCURACY in microseconds. What is only bounded is a Period; what is not known is absent, with a reason.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from centre.mapping import Moment

MDC = "urn:iso:std:iso:11073:10101"
UCUM = "http://unitsofmeasure.org"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
GATEWAY_SYSTEM = "urn:wardlink:gateway"
PROTOCOL, ACCURACY = ("68220", "MDC_TIME_SYNC_PROTOCOL"), ("68221", "MDC_TIME_SYNC_ACCURACY")
GATEWAY_TYPE = ("531981", "MDC_MOC_VMS_MDS_AHD")
NONE, OTHER = ("532224", "MDC_TIME_SYNC_NONE"), ("532236", "MDC_TIME_SYNC_OTHER")
METHODS = {
    "ntp": ("532226", "MDC_TIME_SYNC_NTPV4"),
    "gnss": ("532238", "MDC_TIME_SYNC_GPS"),
    "operator": ("532234", "MDC_TIME_SYNC_EBWW"),  # by eyeball and wristwatch
    "rtc": NONE,  # a clock of the gateway's own that nobody keeps
    "": NONE,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Shape(BaseModel):
    """A closed part of a FHIR resource."""

    model_config = ConfigDict(extra="forbid")


class Coding(Shape):
    """A code of a terminology."""

    system: str = Field(description="URI of the terminology")
    code: str = Field(description="The code")
    display: str = Field(description="Its reference id")


class Concept(Shape):
    """A CodeableConcept."""

    coding: list[Coding] = Field(description="One code")


class Quantity(Shape):
    """A number with its unit."""

    value: int = Field(description="The number")
    system: str = Field(description="UCUM")
    code: str = Field(description="UCUM unit")


class Identifier(Shape):
    """Who it is."""

    system: str = Field(description="Who gave the name")
    value: str = Field(description="The gateway id")


class DeviceProperty(Shape):
    """Device.property: one of `valueCode` and `valueQuantity`."""

    type: Concept = Field(description="68220 how its clock is synchronised, 68221 how well")
    valueCode: list[Concept] | None = Field(default=None, description="Method: 532224 none, 532226 NTPv4 ...")  # noqa: N815  FHIR's
    valueQuantity: list[Quantity] | None = Field(default=None, description="Microseconds")  # noqa: N815  FHIR's


class Device(Shape):
    """A gateway as a FHIR R4 Device: what an exporter of its observations refers to."""

    resourceType: Literal["Device"] = Field(default="Device", description="Device")  # noqa: N815  FHIR's
    identifier: list[Identifier] = Field(description="The gateway id")
    type: Concept = Field(description="531981: a gateway of health devices")
    property: list[DeviceProperty] = Field(description="Quality of its time, at its newest data")


def clock_properties(source: str, error_us: int | None) -> list[DeviceProperty]:
    """Device.property entries of a clock that follows `source` within `error_us` (None: nobody knows)."""
    method = METHODS.get(source, OTHER) if error_us is not None else NONE
    found = [DeviceProperty(type=_concept(PROTOCOL), valueCode=[_concept(method)])]
    if error_us is not None:
        micros = Quantity(value=error_us, system=UCUM, code="us")
        found.append(DeviceProperty(type=_concept(ACCURACY), valueQuantity=[micros]))
    return found


def device(gateway: str, source: str, error_us: int | None) -> Device:
    """The gateway's Device."""
    who = Identifier(system=GATEWAY_SYSTEM, value=gateway)
    return Device(identifier=[who], type=_concept(GATEWAY_TYPE), property=clock_properties(source, error_us))


def effective(moment: Moment) -> dict[str, Any]:
    """effective[x] of an Observation: an instant only where an anchor vouches for one, else a Period, else absent."""
    if moment.utc is not None:
        return {"effectiveDateTime": date_time(moment.utc)}
    if moment.earliest is not None and moment.latest is not None:
        return {"effectivePeriod": {"start": date_time(moment.earliest), "end": date_time(moment.latest)}}
    return {"_effectiveDateTime": {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}}


def date_time(utc: int) -> str:
    """Microseconds since 1970 as a FHIR dateTime."""
    return (_EPOCH + timedelta(microseconds=utc)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _concept(code: tuple[str, str]) -> Concept:
    return Concept(coding=[Coding(system=MDC, code=code[0], display=code[1])])
