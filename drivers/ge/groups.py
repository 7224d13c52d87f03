"""The groups of measurements in a physiological sub-record: their fields, units, scales and states, class by class.

A class is 270 bytes of groups, each `status u32 · label u16 · fields i16`; status bit 0: the module is there, bit 1:
it measures. A field without a name is kept for its place only.

Source: Datex-Ohmeda Record Specification 8005313 rev. 12, section 3, read through the public descriptions that follow
it. Where two of them differ on a scale the field is told raw, unit 1, under its own name (`spo2.ir_amp`,
`co_wedge.blood_temp`, `co_wedge.ref`); where they differ on the order of fields (`gasex`) it is left out. Left out is
`nmt.ptc` too: its bits 9-15 are a current, and 64 mA and more look like a special code.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

CLASS_BYTES = 270
HEADER_BYTES = 6
BASIC, EXT1, EXT2, EXT3 = range(4)


@dataclass(frozen=True, slots=True)
class Field:
    """`digits` behind the decimal point; `channel` is empty for the device's own name, `name` for a place to skip."""

    name: str = ""
    unit: str = "1"
    digits: int = 0
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """`states` and `marks` name bits of the status and of the label; `labels` names the label's values.

    `kind` p, t: the label is the site; ecg, co2: a channel depends on the source; extra: without a header, that of
    the first group of the class stands for it.
    """

    name: str
    fields: tuple[Field, ...]
    size: int
    kind: str = ""
    states: tuple[tuple[int, str], ...] = ()
    marks: tuple[tuple[int, str], ...] = ()
    labels: tuple[str, ...] = ()


SITES = (
    *("", "ART", "CVP", "PA", "RAP", "RVP", "LAP", "ICP", "ABP", "P1", "P2", "P3", "P4", "P5", "P6"),
    *("SP", "FEM", "UAC", "UVC", "ICP2", "P7", "P8", "FEMV"),
)
PLACES = (
    *("", "ESO", "NASO", "TYMP", "RECT", "BLAD", "AXIL", "SKIN", "AIRW", "ROOM", "MYO", "T1", "T2", "T3", "T4"),
    *("CORE", "SURF", "T5", "T6"),
)
AGENTS = ("", "none", "HAL", "ENF", "ISO", "DES", "SEV")
SATURATIONS = ("SO2", "SaO2", "SvO2")  # what field `svo2` is

# What sites are called in the vocabulary: systolic, diastolic, mean, wave.
PRESSURES = {
    "ART": ("ibp.art_sys", "ibp.art_dia", "ibp.art_map", "ibp.art"),
    "ABP": ("ibp.abp_sys", "ibp.abp_dia", "ibp.abp_map", "ibp.abp"),
    "PA": ("ibp.pap_sys", "ibp.pap_dia", "ibp.pap_map", "ibp.pap"),
    "CVP": ("", "", "ibp.cvp_mean", "ibp.cvp"),
    "ICP": ("", "", "ibp.icp", ""),
    "P1": ("ibp.p1_sys", "ibp.p1_dia", "ibp.p1_map", "ibp.p1"),
    "P2": ("ibp.p2_sys", "ibp.p2_dia", "ibp.p2_map", "ibp.p2"),
}
TEMPERATURES = {
    "ESO": "temp.esophageal",
    "NASO": "temp.nasopharynx",
    "TYMP": "temp.tympanic",
    "RECT": "temp.rectal",
    "AXIL": "temp.axilla",
    "SKIN": "temp.skin",
    "CORE": "temp.core",
}

GAS_STATES = ((2, "calibrating"), (3, "measurement-off"))


def group(
    name: str,
    *fields: Field,
    kind: str = "",
    states: tuple[tuple[int, str], ...] = (),
    marks: tuple[tuple[int, str], ...] = (),
    labels: tuple[str, ...] = (),
    spare: int = 0,
) -> Group:
    """A group with `spare` reserved bytes behind its fields."""
    return Group(name, fields, HEADER_BYTES + 2 * len(fields) + spare, kind, states, marks, labels)


def pressure(number: int) -> Group:
    values = (Field(name, "mm[Hg]", 2) for name in ("sys", "dia", "mean"))
    return group(f"p{number}", *values, Field("hr", "/min"), kind="p", states=((2, "zeroing"),), labels=SITES)


def temperature(number: int) -> Group:
    return group(f"t{number}", Field("temp", "Cel", 2), kind="t", labels=PLACES)


def saturation(name: str, spo2: str = "", pulse: str = "") -> Group:
    measured = (Field("spo2", "%", 2, spo2), Field("pr", "/min", 0, pulse))
    return group(name, *measured, Field("ir_amp"), Field("svo2", "%", 2), labels=SATURATIONS)


def eeg() -> Group:
    shares = [Field(f"{name}", "%") for name in ("delta", "theta", "alpha", "beta", "bsr")]
    measured = [Field("ampl", "uV", 1), Field("sef", "Hz", 1), Field("mf", "Hz", 1), *shares]
    channels = [Field(f"eeg{n}.{field.name}", field.unit, field.digits) for n in (1, 2, 3, 4) for field in measured]
    off = tuple((8 + n, f"leads-off-{n}") for n in (1, 2, 3, 4))
    noisy = tuple(chain(*(((12 + n, f"artefact-{n}"), (16 + n, f"noise-{n}")) for n in (1, 2, 3, 4))))
    return group("eeg", Field("femg", "uV", 1), *channels, states=((7, "headbox-off"), *off, *noisy))


ECG_STATES = (
    *((2, "asystole"), (7, "noise"), (8, "artifact"), (9, "learning"), (10, "pacer-on")),
    *((11, "channel-1-off"), (12, "channel-2-off"), (13, "channel-3-off")),
)
NIBP_MARKS = (*((3, "auto"), (4, "stat"), (5, "measuring"), (6, "stasis"), (7, "calibrating"), (8, "older-than-60-s")),)
FLOW_STATES = (
    *((2, "disconnection"), (3, "calibrating"), (4, "zeroing"), (5, "obstruction"), (6, "leak")),
    (7, "measurement-off"),
)
# The leads of the 12-lead ST group, in its order.
LEADS = ("i", "ii", "iii", "avl", "avr", "avf", "v1", "v2", "v3", "v4", "v5", "v6")

CLASSES: dict[int, tuple[Group, ...]] = {
    BASIC: (
        group(
            "ecg",
            Field("hr", "/min"),
            *(Field(f"st{n}", "mm", 2) for n in (1, 2, 3)),
            Field("imp_rr", "/min", 0, "resp.rr_impedance"),
            kind="ecg",
            states=ECG_STATES,
        ),
        *map(pressure, (1, 2, 3, 4)),
        group(
            "nibp",
            *(Field(key, "mm[Hg]", 2, f"nibp.{key}") for key in ("sys", "dia", "map")),
            Field("hr", "/min", 0, "nibp.pr"),
            marks=NIBP_MARKS,
        ),
        *map(temperature, (1, 2, 3, 4)),
        saturation("spo2", "spo2", "spo2.pr"),
        group(
            "co2",
            Field("et", "%", 2, "co2.et"),
            Field("fi", "%", 2, "co2.insp"),
            Field("rr", "/min"),
            Field("amb_press", "mm[Hg]", 1),
            kind="co2",
            states=((2, "apnea"), (3, "calibrating"), (4, "zeroing"), (5, "occlusion"), (6, "air-leak")),
        ),
        group("o2", Field("et", "%", 2), Field("fi", "%", 2, "o2.fio2"), states=GAS_STATES),
        group("n2o", Field("et", "%", 2), Field("fi", "%", 2), states=GAS_STATES),
        group(
            "aa", Field("et", "%", 2), Field("fi", "%", 2), Field("mac_sum", "1", 2), states=GAS_STATES, labels=AGENTS
        ),
        group(
            "flow_vol",
            Field("rr", "/min"),
            Field("ppeak", "cm[H2O]", 2, "vent.p_max"),
            Field("peep", "cm[H2O]", 2, "vent.peep"),
            Field("pplat", "cm[H2O]", 2),
            *(Field(name, "mL", 1) for name in ("tv_insp", "tv_exp")),
            Field("compliance", "mL/cm[H2O]", 2),
            Field("mv_exp", "L/min", 2),
            states=FLOW_STATES,
        ),
        group(
            "co_wedge",
            Field("co", "mL/min", 0, "cardiac.output"),
            *(Field("blood_temp"), Field("ref"), Field("pcwp", "mm[Hg]", 2, "ibp.pawp")),
            marks=((0, "co-older-than-60-s"), (1, "pcwp-older-than-60-s")),
        ),
        group("nmt", Field("t1", "%", 1), Field("tratio", "%", 1), Field()),
        Group("ecg_extra", tuple(Field(name, "/min") for name in ("hr_ecg", "hr_max", "hr_min")), 6, kind="extra"),
        group("svo2", Field("svo2", "%", 2)),
        *map(pressure, (5, 6)),
    ),
    EXT1: (
        group("arrh_ecg", Field("hr", "/min"), Field(), Field("pvc"), spare=36),
        group("ecg12", *(Field(lead, "mm", 2, f"ecg.st_{lead}") for lead in LEADS)),
        *map(pressure, (7, 8)),
        saturation("spo2_2"),
        *map(temperature, (5, 6)),
    ),
    EXT2: (
        group("nmt2", spare=18),
        eeg(),
        group("bis", *(Field(name) for name in ("bis", "sqi", "emg", "sr")), spare=2),
        group("entropy", Field("se"), Field("re"), Field("bsr", "%"), spare=16),
        Group("", (), 58),
        Group("", (), 32),
        group("spi", Field("spi"), spare=8),
    ),
    EXT3: (
        group("gasex", spare=8),
        group(
            "flow_vol2",
            Field("ipeep", "cm[H2O]", 2),
            Field("pmean", "cm[H2O]", 2, "vent.p_mean"),
            Field(),
            Field("mv_insp", "L/min", 2, "vent.minute_vol_insp"),
            Field("epeep", "cm[H2O]", 2),
            Field("mv_spont", "L/min", 2),
            spare=28,
        ),
        group("bal", Field("et", "%", 2), Field("fi", "%", 2)),
    ),
}
