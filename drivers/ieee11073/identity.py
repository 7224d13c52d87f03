"""Who an agent says it is: the attributes of its own object (MDS)."""

from __future__ import annotations

from drivers.contract import Identity
from drivers.ieee11073.fields import Fields, text

MODEL, PRODUCTION, SYSTEM_ID, CLOCK = 0x0928, 0x092D, 0x0984, 0x0987
SERIAL, SOFTWARE, FIRMWARE = 1, 4, 5  # kinds of production specification


def identity(attributes: dict[int, bytes], system: bytes) -> Identity:
    """Empty where the attributes name nobody; the system id stands in for a serial number."""
    maker = model = ""
    if MODEL in attributes:
        fields = Fields(attributes[MODEL])
        maker, model = text(fields.octets()), text(fields.octets())
    produced = dict(Fields(attributes[PRODUCTION]).items(_specification)) if PRODUCTION in attributes else {}
    if not (maker or model or produced):
        return Identity()
    serial = produced.get(SERIAL) or attributes.get(SYSTEM_ID, b"")[2:].hex().upper() or system.hex().upper()
    return Identity(maker, model, serial, produced.get(FIRMWARE) or produced.get(SOFTWARE, ""))


def _specification(fields: Fields) -> tuple[int, str]:
    kind, _component = fields.u16(), fields.u16()
    return kind, text(fields.octets())
