"""Which drivers listen at which serial lines, so that a search loads those of the setting that it listens at.

A copy of what the drivers claim (tests/unit/test_lines.py compares, and says how the table should read). A driver that
does not stand here is loaded to be asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers import registry
from drivers.claims import Serial
from drivers.contract import Driver

LINES: dict[str, tuple[Serial, ...]] = {
    "aandd_pbt": (Serial(9600),),
    "barcode_reader": (Serial(9600), Serial(115200)),
    "bbraun_bcc": (Serial(9600), Serial(19200), Serial(38400), Serial(57600), Serial(115200)),
    "berry_bci": (Serial(115200),),
    "capnostream_20": (Serial(115200), Serial(9600)),
    "contec_ble": (),
    "contec_v5": (Serial(19200, parity="O"), Serial(4800)),
    "contec_v7": (Serial(115200, rts=False),),
    "creative_pc60": (Serial(115200),),
    "dinamap_pro1000": (Serial(9600),),
    "draeger_medibus": (
        Serial(19200, parity="E"),
        Serial(9600, parity="E"),
        Serial(38400),
        Serial(19200),
        Serial(9600),
    ),
    "gatt_blood_pressure": (),
    "gatt_body_composition": (),
    "gatt_cgm": (),
    "gatt_glucose": (),
    "gatt_health_sensor": (),
    "gatt_heart_rate": (),
    "gatt_oximeter": (),
    "gatt_thermometer": (),
    "gatt_weight": (),
    "ge_s5": (Serial(19200, parity="E"), Serial(115200, parity="E")),
    "healthypi": (Serial(115200), Serial(57600)),
    "ieee11073_agent": (Serial(115200),),
    "ivy_450c": (Serial(9600),),
    "jumper_jpd500f": (),
    "masimo_ascii1": (Serial(9600),),
    "mindray_hl7": (),
    "nellcor_n560": (Serial(9600), Serial(19200)),
    "nonin_ascii": (Serial(9600),),
    "nonin_numeric": (Serial(9600),),
    "nonin_pleth": (Serial(9600),),
    "nonin_spot": (Serial(9600),),
    "omron_hem": (),
    "philips_intellivue": (Serial(115200), Serial(19200)),
    "philips_intellivue_lan": (),
    "polar_h10": (),
    "puritan_bennett_840": (Serial(9600), Serial(19200), Serial(38400)),
    "taidoc_td42xx": (Serial(19200),),
    "viatom_bp2w": (),
    "viatom_o2ring": (),
}


@dataclass(frozen=True, slots=True)
class Label:
    """What a search must know of a driver before it listens with it."""

    id: str
    claims: tuple[Serial, ...]


@dataclass(frozen=True, slots=True)
class Shelved:
    """A driver that is loaded once it is taken from the shelf."""

    info: Label

    def unpinned(self) -> Driver:
        return registry.driver(self.info.id).unpinned()


Kind = type[Driver] | Shelved


def shelf() -> tuple[Kind, ...]:
    """All drivers, and those of the table not loaded."""
    return tuple(Shelved(Label(one, LINES[one])) if one in LINES else registry.driver(one) for one in registry.ids())
