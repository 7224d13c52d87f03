"""The gateway, the device at the bed and its metrics as FHIR R4 or R5, and how others refer to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from centre import fhir, rows
from centre.export.plan import Sitting, Strip
from centre.store.read import is_one
from centre.web.plain import plain
from drivers import vocabulary

METRIC = "measurement"
Resource = dict[str, Any]


class Kind(StrEnum):
    """Who gave a name."""

    GATEWAY = fhir.GATEWAY_SYSTEM
    DEVICE = "urn:wardlink:device"
    METRIC = "urn:wardlink:metric"
    OBSERVATION = "urn:wardlink:observation"
    PSEUDONYM = "urn:wardlink:pseudonym"


@dataclass(frozen=True, slots=True)
class Release:
    """Which FHIR, and whether others are referred to by id or by a search (in a transaction)."""

    word: Literal["R4", "R5"]
    form: Literal["ndjson", "bundle"]

    def interval(self, period_ms: Decimal) -> Resource:
        """Time between two samples of SampledData."""
        return {"period": period_ms} if self.word == "R4" else {"interval": period_ms, "intervalUnit": "ms"}


def identifier(kind: Kind, value: str) -> dict[str, str]:
    return {"system": kind.value, "value": value}


def urn(kind: Kind, name: str) -> str:
    """The same for the same name."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{kind.value}:{name}')}"


def refer(resource: str, name: str, release: Release, is_here: bool = False) -> dict[str, str]:
    """To what is called by its identifier; `is_here`: in the same bundle."""
    if release.form == "ndjson":
        return {"reference": f"{resource}/{name}"}
    kinds = {"Observation": Kind.OBSERVATION, "DeviceMetric": Kind.METRIC}
    kind = kinds.get(resource, Kind.DEVICE if "-" in name else Kind.GATEWAY)
    return {"reference": urn(kind, name) if is_here else f"{resource}?identifier={kind.value}|{name}"}


def devices(part: Strip | Sitting, release: Release) -> list[Resource]:
    """The gateway, the device, and a metric for each of its streams."""
    one = part.streams[0]
    return [_gateway(part, release), _device(one), *_metrics(part, release)]


def device_name(one: rows.Stream) -> str:
    """By the serial number where that tells it from its twins, else by the session."""
    tells = is_one(one.serial) and all(c.isascii() and (c.isalnum() or c in "-.") for c in one.serial)
    driver = one.driver.replace("_", ".")
    return f"{one.gateway}-{driver}-{one.serial}"[:64] if tells else f"{one.gateway}-{one.epoch}-s{one.session}"


def _gateway(part: Strip | Sitting, release: Release) -> Resource:
    t = part.pace.sample_t(part.last - 1) if isinstance(part, Strip) else part.first_t
    name = part.streams[0].gateway
    made = fhir.device(name, part.mapping.source(t), part.mapping.at(t).error).model_dump(exclude_none=True)
    return {"id": name, **(made if release.word == "R4" else _as_r5(made))}


def _as_r5(made: Resource) -> Resource:
    """R5: many types, and one value a property."""
    properties = [
        {"type": one["type"], "valueCodeableConcept" if "valueCode" in one else "valueQuantity": value}
        for one in made["property"]
        for value in one.get("valueCode", one.get("valueQuantity", []))
    ]
    return {**made, "type": [made["type"]], "property": properties}


def _device(one: rows.Stream) -> Resource:
    name = device_name(one)
    words = {"manufacturer": plain(one.maker), "modelNumber": plain(one.model), "serialNumber": plain(one.serial)}
    made: Resource = {
        "resourceType": "Device",
        "id": name,
        "identifier": [identifier(Kind.DEVICE, name)],
        **{key: text for key, text in words.items() if text.strip()},
    }
    if one.firmware.strip():
        made["version"] = [{"value": plain(one.firmware)}]
    made["note"] = [{"text": f"heard by the driver {plain(one.driver)}, frames checked by {plain(one.integrity)}"}]
    return made


def _metrics(part: Strip | Sitting, release: Release) -> Iterator[Resource]:
    for stream in part.streams:
        name = f"{stream.gateway}-{stream.epoch}-m{stream.stream}"
        source = refer("Device", device_name(stream), release, is_here=True)
        said = [f"filter as the device names it: {plain(stream.filter)}"] if stream.filter else []
        yield {
            "resourceType": "DeviceMetric",
            "id": name,
            **({"extension": [{"url": "urn:wardlink:filter", "valueString": text} for text in said]} if said else {}),
            "identifier": [identifier(Kind.METRIC, name)],
            "type": _type(stream),
            "unit": {"coding": [{"system": fhir.UCUM, "code": plain(stream.unit)}]},
            **({"source": source} if release.word == "R4" else {"device": source}),
            "category": METRIC,
        }


def _type(stream: rows.Stream) -> Resource:
    known = vocabulary.by_mdc().get(stream.mdc)
    text = {"text": plain(stream.channel)}
    if not stream.mdc:
        return text
    named = {"display": known.refid} if known and not known.refid.startswith("(") else {}
    return {"coding": [{"system": fhir.MDC, "code": str(stream.mdc), **named}], **text}
